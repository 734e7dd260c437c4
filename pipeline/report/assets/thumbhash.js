// A ThumbHash (https://evanw.github.io/thumbhash/) drawn into a canvas of some 32 x 32 pixels.
function drawThumbHash(canvas, text) {
  const hash = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const head = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const shape = hash[3] | (hash[4] << 8);
  const hasAlpha = head >> 23 !== 0;
  const landscape = shape >> 15 !== 0;
  const across = Math.max(3, landscape ? (hasAlpha ? 5 : 7) : shape & 7);
  const down = Math.max(3, landscape ? shape & 7 : hasAlpha ? 5 : 7);
  let next = hasAlpha ? 12 : 10; // nibbles
  const terms = (nx, ny, scale) => {
    const found = [];
    for (let y = 0; y < ny; y++)
      for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x++, next++)
        found.push([x, y, (((hash[next >> 1] >> ((next & 1) << 2)) & 15) / 7.5 - 1) * scale]);
    return found;
  };
  const light = terms(across, down, ((head >> 18) & 31) / 31);
  const yellow = terms(3, 3, (((shape >> 3) & 63) / 63) * 1.25);
  const reddish = terms(3, 3, (((shape >> 9) & 63) / 63) * 1.25);
  const alpha = hasAlpha ? terms(5, 5, (hash[5] >> 4) / 15) : [];
  const ratio = (landscape ? (hasAlpha ? 5 : 7) : shape & 7) / (landscape ? shape & 7 : hasAlpha ? 5 : 7);
  const width = Math.max(1, Math.round(ratio > 1 ? 32 : 32 * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? 32 / ratio : 32));
  const waves = (length) =>
    Array.from({ length }, (_, at) => Array.from({ length: 7 }, (_, n) => Math.cos((Math.PI / length) * (at + 0.5) * n)));
  const columns = waves(width);
  const lines = waves(height);
  const sum = (base, found, x, y) => {
    for (const [nx, ny, factor] of found) base += 2 * factor * columns[x][nx] * lines[y][ny];
    return base;
  };
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += 4) {
      const l = sum((head & 63) / 63, light, x, y);
      const p = sum(((head >> 6) & 63) / 31.5 - 1, yellow, x, y);
      const q = sum(((head >> 12) & 63) / 31.5 - 1, reddish, x, y);
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      picture.data[at] = 255 * red;
      picture.data[at + 1] = 255 * (red - q);
      picture.data[at + 2] = 255 * blue;
      picture.data[at + 3] = hasAlpha ? 255 * sum((hash[5] & 15) / 15, alpha, x, y) : 255;
    }
  context.putImageData(picture, 0, 0);
}
