// sharp with some pictures at a time. Arguments: where sharp is, source, target, jobs, encoder options (JSON), sides...
// One side makes a JPEG; several make a family of JPEG and WebP from one decode.
import { createRequire } from "node:module";
import { readdirSync } from "node:fs";
import { join, parse } from "node:path";

const [where, source, target, jobs, encoder, ...rest] = process.argv.slice(2);
const sharp = createRequire(join(where, "package.json"))("sharp");
const sides = rest.map(Number).sort((one, other) => other - one);
const jpeg = JSON.parse(encoder);
const names = readdirSync(source).sort();
sharp.cache(false);
sharp.concurrency(1); // two pictures side by side use two cores better than two threads inside each
const open = (name) => sharp(join(source, name), { failOn: "error" }).rotate(); // a stray byte before a marker is only a warning
const box = (side) => ({ width: side, height: side, fit: "inside", withoutEnlargement: true, kernel: "lanczos3" });

async function single(name) {
  await open(name).resize(box(sides[0])).jpeg(jpeg).toFile(join(target, parse(name).name + ".jpg"));
}

async function family(name) {
  const decoded = open(name).resize(box(sides[0])).raw();
  const { data, info } = await decoded.toBuffer({ resolveWithObject: true });
  const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
  for (const side of sides) {
    const path = join(target, `${parse(name).name}-${side}`);
    const one = sharp(data, raw).resize(box(side));
    await one.clone().jpeg(jpeg).toFile(path + ".jpg");
    await one.clone().webp({ quality: 80 }).toFile(path + ".webp");
  }
}

async function job() {
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    await (sides.length > 1 ? family(name) : single(name));
  }
}

await Promise.all(Array.from({ length: Number(jobs) }, job));
