// The gallery: rows of equal height, of which only those in view are in the document.
const page = JSON.parse(document.getElementById("renditions").textContent);
const gallery = { chosen: [], at: 0, focus: () => {} };

const GAP = 6; // pixels between tiles
const TILE = 176; // pixels that a row is high, about
const EVERY = "every"; // what the filter by rendition says where each has a tile of its own
const BEYOND = 600; // pixels above and below the window in which rows are kept

// One rendition and its source, by names instead of columns.
function rendition(number) {
  const [source, name, status, format, width, height, bytes, target, error = "", rawTarget = ""] = page.renditions[number];
  const [folder, file, sourceFormat, sourceWidth, sourceHeight, sourceBytes, color, hash, alt, rawSource] = page.sources[source];
  const path = (page.folders[folder] ? page.folders[folder] + "/" : "") + file;
  return {
    path, folder, status, width, height, bytes, error, color, hash, alt, sourceWidth, sourceHeight, sourceBytes,
    name: page.names[name] || "",
    format: page.formats[format],
    sourceFormat: page.formats[sourceFormat],
    targetUrl: target && width ? page.target + (rawTarget || escaped(target)) : "",
    sourceUrl: sourceUrl(path, rawSource || escaped(path)),
    targetShows: page.shown[format] === 1,
    sourceShows: page.shown[sourceFormat] === 1,
    aspect: width && height ? width / height : sourceWidth && sourceHeight ? sourceWidth / sourceHeight : 1,
  };
}

// The address of a source in the folder that its name's first part stands for, or in the only one.
function sourceUrl(path, address) {
  const [prefix, folder] = page.places.find(([prefix]) => path.startsWith(prefix)) || ["", ""];
  return folder + (prefix ? address.slice(address.indexOf("/") + 1) : address);
}

const escaped = (path) => path.split("/").map(encodeURIComponent).join("/");

// ---- filters

function fill(select, all, words) {
  select.add(new Option(all, ""));
  for (const [value, word] of words) select.add(new Option(word, value));
  select.closest("label").hidden = words.length < 2;
}

function offerFilters() {
  const folders = new Set();
  for (const folder of page.folders)
    for (let part = folder; part; part = part.slice(0, Math.max(0, part.lastIndexOf("/")))) folders.add(part);
  fill(byId("by-folder"), "all folders", [...folders].sort().slice(0, 2000).map((name) => [name, name]));
  const names = page.names.map((name, number) => [String(number), name]);
  fill(byId("by-rendition"), "by picture", names.length < 2 ? [] : [[EVERY, "every rendition"], ...names]);
  fill(byId("by-status"), "any status", page.statuses.map((name, number) => [String(number), name]));
}

function choose() {
  const words = byId("by-name").value.trim().toLowerCase();
  const folder = byId("by-folder").value;
  const name = byId("by-rendition").value;
  const status = byId("by-status").value;
  const inFolder = page.folders.map((one) => !folder || one === folder || one.startsWith(folder + "/"));
  const ofSource = page.sources.map(
    (one) => inFolder[one[0]] && (!words || `${page.folders[one[0]]}/${one[1]}`.toLowerCase().includes(words)),
  );
  const matching = [];
  page.renditions.forEach((one, number) => {
    if (ofSource[one[0]] && (!name || name === EVERY || one[1] === Number(name)) && (!status || one[2] === Number(status)))
      matching.push(number);
  });
  gallery.chosen = name ? matching : onePerSource(matching);
  gallery.at = 0;
  byId("none").hidden = gallery.chosen.length > 0 || page.renditions.length === 0;
  const all = name ? page.renditions.length : page.sources.length;
  const some = gallery.chosen.length;
  const what = `${all.toLocaleString("en")} ${name ? "rendition" : "picture"}${all === 1 ? "" : "s"}`;
  byId("found").value = some === all ? what : `${some.toLocaleString("en")} of ${what}`;
  arrange();
}

// Of the renditions of each source the smallest that fills a tile, else the largest that can be shown, else the first.
function onePerSource(numbers) {
  const excess = (number) => {
    const high = page.renditions[number][5];
    return !shows(number) ? Infinity : high >= TILE * devicePixelRatio ? high : 1e9 - high;
  };
  const best = new Map();
  for (const number of numbers) {
    const [source] = page.renditions[number];
    if (!best.has(source) || excess(number) < excess(best.get(source))) best.set(source, number);
  }
  return [...best.values()];
}

// Whether there is a file that browsers show.
function shows(number) {
  const [, , , format, width, , , target] = page.renditions[number];
  return Boolean(target && width && page.shown[format]);
}

// All renditions of the source of this one.
function siblings(number) {
  const [source] = page.renditions[number];
  let first = number;
  while (page.renditions[first - 1]?.[0] === source) first--;
  const all = [];
  for (let other = first; page.renditions[other]?.[0] === source; other++) all.push(other);
  return all;
}

// ---- rows

const grid = byId("rows");
let rows = []; // of {first, end, top, height}, in order
const present = new Map(); // elements by the number of their row
let width = 0;

function arrange() {
  width = grid.clientWidth;
  const wanted = width < 600 ? 118 : TILE;
  rows = [];
  let top = 0;
  for (let first = 0; first < gallery.chosen.length; ) {
    let end = first;
    let aspects = 0;
    while (end < gallery.chosen.length && (end === first || aspects * wanted + (end - first) * GAP < width))
      aspects += shape(gallery.chosen[end++]);
    const space = width - (end - first - 1) * GAP;
    const height = Math.min(space / aspects, wanted * 1.35);
    rows.push({ first, end, top, height });
    top += height + GAP;
    first = end;
  }
  grid.style.height = `${Math.max(0, top - GAP)}px`;
  for (const row of present.values()) row.remove();
  present.clear();
  draw();
}

function shape(number) {
  const [source, , , , wide, high] = page.renditions[number];
  const [, , , sourceWide, sourceHigh] = page.sources[source];
  const aspect = wide && high ? wide / high : sourceWide && sourceHigh ? sourceWide / sourceHigh : 1;
  return Math.min(3.2, Math.max(0.45, aspect));
}

function rowAt(y) {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle].top <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

function draw() {
  const above = -grid.getBoundingClientRect().top;
  const first = rowAt(above - BEYOND);
  const last = rows.length ? rowAt(above + window.innerHeight + BEYOND) : -1;
  for (const [number, row] of present)
    if (number < first || number > last) {
      row.remove();
      present.delete(number);
    }
  for (let number = first; number <= last; number++) if (!present.has(number)) present.set(number, drawRow(number));
}

function drawRow(number) {
  const { first, end, top, height } = rows[number];
  const row = document.createElement("div");
  row.className = "row";
  row.style.transform = `translateY(${top}px)`;
  row.style.height = `${height}px`;
  for (let at = first; at < end; at++) row.append(tile(at, height));
  const below = Math.min(...[...present.keys()].filter((one) => one > number)); // read aloud in this order
  grid.insertBefore(row, present.get(below) ?? null);
  return row;
}

function tile(at, height) {
  const one = rendition(gallery.chosen[at]);
  const link = document.createElement("a");
  link.className = "tile";
  link.setAttribute("role", "listitem");
  link.href = one.targetUrl || one.sourceUrl;
  link.dataset.at = at;
  link.dataset.number = gallery.chosen[at];
  link.tabIndex = at === gallery.at ? 0 : -1;
  const all = byId("by-rendition").value ? [] : siblings(gallery.chosen[at]).map(rendition);
  const lacking = all.filter((other) => !other.targetUrl);
  const name = all.length > 1 ? `${all.length} renditions` : one.name;
  const errors = all.length > 1 ? lacking.map((other) => `${other.name}: ${other.error}`) : [one.error];
  link.title = [name ? `${one.path} · ${name}` : one.path, ...errors].filter(Boolean).join("\n");
  link.setAttribute("aria-label", link.title);
  link.style.width = `${height * shape(gallery.chosen[at])}px`;
  if (one.color) link.style.backgroundColor = one.color;
  if (one.hash && one.targetUrl) awaitPlaceholder(link, one.hash);
  if (one.targetUrl && one.targetShows) {
    const image = new Image();
    image.alt = one.alt;
    image.decoding = "async";
    image.addEventListener("load", () => link.classList.add("loaded"));
    const others = lookalikes(gallery.chosen[at]);
    image.addEventListener("error", () => {
      if (image.srcset) image.removeAttribute("srcset"); // which loads `src`
      else image.replaceWith(label("gone"));
    });
    image.sizes = `${Math.ceil(height * Math.max(one.aspect, shape(gallery.chosen[at])))}px`;
    if (others.length > 1) image.srcset = others.map(([wide, url]) => `${url} ${wide}w`).join(", ");
    image.src = one.targetUrl;
    link.append(image);
  } else link.append(label(one.targetUrl ? one.format : one.error.split(":")[0] || page.statuses[one.status]));
  if (!one.targetUrl) link.classList.add("failed");
  else if (lacking.length) link.append(label(`${lacking.length} of ${all.length} not made`));
  return link;
}

// Placeholders take 1 ms each: they are drawn for a few milliseconds of each frame, the newest first, and only where
// the picture itself has not come meanwhile.
const BUDGET = 4; // milliseconds
const awaited = [];

function awaitPlaceholder(link, hash) {
  if (awaited.push([link, hash]) === 1) requestAnimationFrame(drawPlaceholders);
}

function drawPlaceholders() {
  const end = performance.now() + BUDGET;
  while (awaited.length && performance.now() < end) {
    const [link, hash] = awaited.pop();
    if (!link.isConnected || link.classList.contains("loaded")) continue;
    const canvas = document.createElement("canvas");
    drawThumbHash(canvas, hash);
    link.prepend(canvas);
  }
  if (awaited.length) requestAnimationFrame(drawPlaceholders);
}

// The renditions of the same source that look like this one, by width, of each the smallest file.
function lookalikes(number) {
  const [, name, , , width, height] = page.renditions[number];
  const smallest = new Map();
  for (const other of siblings(number)) {
    const [, , , format, wide, high, size] = page.renditions[other];
    if (!wide || !page.shown[format] || page.looks[page.renditions[other][1]] !== page.looks[name]) continue;
    if (Math.abs(wide * height - width * high) > Math.max(wide, high, width, height)) continue; // by a pixel, rounded
    if (size < (smallest.get(wide)?.size ?? Infinity)) smallest.set(wide, { size, url: rendition(other).targetUrl });
  }
  return [...smallest].filter(([, { url }]) => url).map(([wide, { url }]) => [wide, url]);
}

function label(text) {
  const element = document.createElement("span");
  element.className = "label";
  element.textContent = text;
  return element;
}

// ---- keys: one tile can be reached by Tab, the others by arrows

gallery.focus = (at) => {
  if (!gallery.chosen.length) return;
  gallery.at = Math.min(gallery.chosen.length - 1, Math.max(0, at));
  const number = rows.findLastIndex((row) => row.first <= gallery.at);
  const box = grid.getBoundingClientRect();
  const top = box.top + rows[number].top;
  const head = byId("by-name").form.offsetHeight + GAP;
  if (top < head) window.scrollBy(0, top - head);
  else if (top + rows[number].height > window.innerHeight) window.scrollBy(0, top + rows[number].height - window.innerHeight + GAP);
  draw();
  for (const link of grid.querySelectorAll(".tile")) {
    link.tabIndex = Number(link.dataset.at) === gallery.at ? 0 : -1;
    if (link.tabIndex === 0) link.focus({ preventScroll: true });
  }
};

function nextRow(at, step) {
  const number = rows.findLastIndex((row) => row.first <= at);
  const other = rows[number + step];
  if (!other) return at;
  const middle = (index) => {
    const row = rows[rows.findLastIndex((one) => one.first <= index)];
    let x = 0;
    for (let one = row.first; one < index; one++) x += shape(gallery.chosen[one]) * row.height + GAP;
    return x + (shape(gallery.chosen[index]) * row.height) / 2;
  };
  const from = middle(at);
  let best = other.first;
  for (let one = other.first; one < other.end; one++)
    if (Math.abs(middle(one) - from) < Math.abs(middle(best) - from)) best = one;
  return best;
}

grid.addEventListener("keydown", (event) => {
  const link = event.target.closest(".tile");
  if (!link || !plainKey(event)) return;
  const at = Number(link.dataset.at);
  const next = {
    ArrowLeft: () => at - 1,
    ArrowRight: () => at + 1,
    ArrowUp: () => nextRow(at, -1),
    ArrowDown: () => nextRow(at, 1),
    Home: () => 0,
    End: () => gallery.chosen.length - 1,
  }[event.key];
  if (!next) return;
  event.preventDefault();
  gallery.focus(next());
});

const open = (event) => {
  const link = event.target.closest(".tile");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const number = Number(link.dataset.number);
  if (!gallery.chosen.includes(number)) showAll(); // one of the strip, which no filter narrows
  openViewer(gallery.chosen.indexOf(number));
};
grid.addEventListener("click", open);
byId("strip").addEventListener("click", open);

let waiting = false;
const soon = (what) => () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    what();
  });
};
addEventListener("scroll", soon(draw), { passive: true });
addEventListener("resize", soon(draw));
new ResizeObserver(soon(() => (grid.clientWidth === width ? draw() : arrange()))).observe(document.body);
for (const id of ["by-name", "by-folder", "by-rendition", "by-status"]) byId(id).addEventListener("input", choose);
byId("by-name").form.addEventListener("submit", (event) => event.preventDefault());
function showAll() {
  byId("by-name").form.reset();
  choose();
}
byId("all").addEventListener("click", () => {
  showAll();
  byId("by-name").focus();
});

// ---- a row of pictures from everywhere, at the head of the page

function drawStrip() {
  const strip = byId("strip");
  strip.replaceChildren();
  const height = strip.clientWidth < 600 ? 84 : 132;
  const all = [...gallery.chosen.keys()].filter((at) => shows(gallery.chosen[at]));
  const mean = all.reduce((sum, at) => sum + shape(gallery.chosen[at]), 0) / all.length;
  const room = Math.ceil(strip.clientWidth / (height * mean)) + 2;
  const step = Math.max(1, all.length / room);
  for (let next = 0, used = 0; next < all.length && used < strip.clientWidth; next += step) {
    const at = all[Math.floor(next)];
    used += height * shape(gallery.chosen[at]) + GAP;
    strip.append(tile(at, height));
  }
  strip.hidden = all.length < 2;
}

// A picture that failed may still be seen: in another of its renditions, or as far as a browser can read it.
for (const image of document.querySelectorAll("#failures img")) {
  const others = image.dataset.others.split(" ").filter(Boolean);
  const other = () => {
    if (others.length) image.src = others.shift();
    else image.replaceWith(document.createElement("i"));
  };
  image.addEventListener("error", other);
  if (image.complete && image.currentSrc && !image.naturalWidth) other();
}

offerFilters();
choose();
drawStrip();
