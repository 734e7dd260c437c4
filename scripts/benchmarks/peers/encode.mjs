// sharp's encoders on one picture. Arguments: where sharp is, the picture, a folder, a list of [name, format, options] (JSON).
import { createRequire } from "node:module";
import { join } from "node:path";

const [where, picture, folder, encoders] = process.argv.slice(2);
const sharp = createRequire(join(where, "package.json"))("sharp");
sharp.concurrency(1);
for (const [name, format, options] of JSON.parse(encoders)) {
  await sharp(picture).toFormat(format, options).toFile(join(folder, name));
}
