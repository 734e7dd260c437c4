
// The pictures of a comparison as cards, and a viewer that shows two recipes of one: in turns, side by side, or their
// difference. A side is a number: of a recipe, or -1 for the source, scaled and lossless.
const page = JSON.parse(byId("comparison").textContent);
const viewer = byId("viewer");
const part = (name) => viewer.querySelector(name);
const SOURCE = -1;
const LARGEST = 2; // times its own size, that a small picture is shown at
let chosen = []; // cases, as filtered and ordered
let shown = 0;
const last = page.recipes.length - 1;
const sides = { left: 0, right: last };
let flipped = false; // whether the left one is seen

// ---- cards

const score = (value) => (value === null ? "" : value.toFixed(1));

function element(name, properties = {}, ...children) {
  const one = Object.assign(document.createElement(name), properties);
  one.append(...children);
  return one;
}

function card(one, at) {
  const seen = one.sides.findLast((side) => side && side.file >= 0);
  const error = one.sides.find((side) => side && side.error);
  const tile = element("button", { type: "button", className: "tile", title: one.source });
  tile.dataset.at = at;
  if (seen) {
    const image = element("img", { alt: one.source, loading: "lazy", decoding: "async", src: page.files[seen.file] });
    tile.append(image);
  } else tile.append(element("span", { className: "label", textContent: error ? error.error : "not in this page" }));
  const body = element("tbody");
  one.sides.forEach((side, number) => {
    if (!side) return;
    const row = element("tr", {}, element("th", { scope: "row", textContent: page.recipes[number], title: page.recipes[number] }));
    if (side.error) row.append(element("td", { className: "bad", colSpan: 2, textContent: side.error.split(":")[0], title: side.error }));
    else row.append(element("td", { textContent: bytes(side.bytes) }), element("td", { textContent: score(side.score) }));
    body.append(row);
  });
  const name = element("p", { title: one.source }, one.source, element("span", { textContent: ` · ${one.stratum} · ${one.rendition}` }));
  const whole = element("div", { className: "card" }, tile, name, element("table", {}, body));
  whole.setAttribute("role", "listitem");
  return whole;
}

const least = (one) => Math.min(...one.sides.map((side) => side?.score ?? 101));
const most = (one) => Math.max(...one.sides.map((side) => side?.bytes ?? 0));
const change = (one) => {
  const made = one.sides.filter((side) => side?.bytes);
  return made.length > 1 ? Math.abs(Math.log(made.at(-1).bytes / made[0].bytes)) : 0;
};
const ORDERS = {
  score: (one, other) => least(one) - least(other),
  bytes: (one, other) => most(other) - most(one),
  change: (one, other) => change(other) - change(one),
};

function choose() {
  const rendition = byId("by-rendition").value;
  const stratum = byId("by-stratum").value;
  chosen = page.cases.filter((one) => (!rendition || one.rendition === rendition) && (!stratum || one.stratum === stratum));
  const order = ORDERS[byId("by-order").value];
  if (order) chosen.sort(order);
  byId("found").value = chosen.length === page.cases.length ? `${chosen.length}` : `${chosen.length} of ${page.cases.length}`;
  byId("cards").replaceChildren(...chosen.map(card));
}

function offer(select, all, words) {
  if (all) select.add(new Option(all, ""));
  for (const [value, word] of words) select.add(new Option(word, value));
  if (all) select.closest("label").hidden = words.length < 2;
}

const distinct = (key) => [...new Set(page.cases.map((one) => one[key]))].map((one) => [one, one]);
offer(byId("by-rendition"), "all renditions", distinct("rendition"));
offer(byId("by-stratum"), "all strata", distinct("stratum"));
for (const id of ["left", "right"]) {
  offer(byId(id), "", [[SOURCE, "source"], ...page.recipes.map((name, number) => [number, name])]);
  byId(id).value = sides[id];
}
for (const id of ["by-rendition", "by-stratum", "by-order"]) byId(id).addEventListener("input", choose);
byId("cards").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  if (!viewer.open) viewer.showModal();
  show(Number(tile.dataset.at));
});

// ---- the viewer

const mode = () => viewer.querySelector("[name=mode]:checked").value;
const slide = sliding(part(".frame"), () => mode() === "slide");
const nameOf = (side) => (side === SOURCE ? "source" : page.recipes[side]);

// What is seen of a side: of the source, what the other side is measured by.
function pictureOf(one, side, other) {
  if (side !== SOURCE) return one.sides[side] && { ...one.sides[side], url: page.files[one.sides[side].file] ?? "" };
  const by = one.sides[other] ?? one.sides.find(Boolean);
  return by && { ...by, url: page.files[by.reference] ?? "" };
}

function words(one, side) {
  if (side === SOURCE) return `source: ${one.size.join(" × ")}, ${bytes(one.bytes)}`;
  const made = one.sides[side];
  if (!made) return `${nameOf(side)}: no such rendition`;
  if (made.error) return `${nameOf(side)}: ${made.error}`;
  const about = `${made.format} ${made.size.join(" × ")}, ${bytes(made.bytes)}, ${made.seconds.toFixed(2)} s`;
  return `${nameOf(side)}: ${about}${made.score === null ? "" : `, similarity ${score(made.score)}`}`;
}

function show(at) {
  if (at < 0 || at >= chosen.length) return;
  shown = at;
  const one = chosen[at];
  const left = pictureOf(one, sides.left, sides.right);
  const right = pictureOf(one, sides.right, sides.left);
  put(part("img.left"), left?.url, `${one.source}, ${nameOf(sides.left)}`);
  put(part("img.right"), right?.url, `${one.source}, ${nameOf(sides.right)}`);
  part(".frame").style.background = (right ?? left)?.background ?? "";
  const lacking = [[left, sides.left], [right, sides.right]].filter(([made]) => !made?.url);
  part(".lacking").textContent = lacking
    .map(([made, side]) => `${nameOf(side)}: ${!made ? "no such rendition" : made.error || (made.file === -1 && page.files.length ? `cannot be shown here (${made.format})` : "is not in this page")}`)
    .join("; ");
  part(".title").textContent = one.source;
  part(".about").textContent = [one.rendition, one.stratum, ...new Set([words(one, sides.left), words(one, sides.right)]), `${at + 1} of ${chosen.length}`].join(" · ");
  part(".side.right").textContent = nameOf(sides.right);
  part(".previous").disabled = at === 0;
  part(".next").disabled = at === chosen.length - 1;
  for (const id of ["left", "right"]) byId(id).value = sides[id];
  turn(flipped);
  fit();
}

// In turns: the left one or the right one is seen.
function turn(to) {
  flipped = to;
  viewer.dataset.mode = mode();
  viewer.classList.toggle("flipped", flipped);
  part(".side.left").textContent = nameOf(mode() === "flip" && !flipped ? sides.right : sides.left);
}

function fit() {
  const one = chosen[shown];
  const made = pictureOf(one, sides.right, sides.left) ?? pictureOf(one, sides.left, sides.right);
  const [width, height] = made?.size[0] ? made.size : [400, 300];
  const stage = part(".stage");
  const wanted = Number(byId("zoom").value);
  const scale = wanted ? wanted / devicePixelRatio : Math.min(LARGEST, stage.clientWidth / width, stage.clientHeight / height);
  part(".frame").style.width = `${Math.round(width * scale)}px`;
  part(".frame").style.height = `${Math.round(height * scale)}px`;
  part(".frame").classList.toggle("pixels", wanted > 1);
}

function see(side) {
  if (side > last) return;
  sides.right = side;
  flipped = false;
  show(shown);
}

function set(value) {
  viewer.querySelector(`[name=mode][value=${value}]`).checked = true;
  turn(flipped);
}

function swap() {
  [sides.left, sides.right] = [sides.right, sides.left];
  show(shown);
}

document.addEventListener("keydown", (event) => {
  if (!viewer.open || !plainKey(event) || event.target.tagName === "SELECT") return;
  const slider = part("input[type=range]");
  const zooms = byId("zoom");
  const act = {
    ArrowLeft: () => show(shown - 1),
    ArrowRight: () => show(shown + 1),
    ArrowUp: () => slide(Number(slider.value) + 5),
    ArrowDown: () => slide(Number(slider.value) - 5),
    " ": () => (mode() === "flip" ? turn(!flipped) : set("flip")),
    f: () => set("flip"),
    s: () => set("slide"),
    d: () => set("difference"),
    z: () => {
      zooms.selectedIndex = (zooms.selectedIndex + 1) % zooms.length;
      fit();
    },
    0: () => see(SOURCE),
  }[event.key] ?? (/^[1-9]$/.test(event.key) ? () => see(Number(event.key) - 1) : null);
  if (!act) return;
  event.preventDefault();
  act();
});
for (const radio of viewer.querySelectorAll("[name=mode]")) radio.addEventListener("change", () => turn(flipped));
for (const id of ["left", "right"])
  byId(id).addEventListener("input", () => {
    sides[id] = Number(byId(id).value);
    show(shown);
  });
byId("zoom").addEventListener("input", fit);
part(".frame").addEventListener("click", () => mode() === "flip" && turn(!flipped));
part(".tools").addEventListener("submit", (event) => event.preventDefault());
part(".swap").addEventListener("click", swap);
part(".previous").addEventListener("click", () => show(shown - 1));
part(".next").addEventListener("click", () => show(shown + 1));
part(".close").addEventListener("click", () => viewer.close());
viewer.addEventListener("close", () => {
  put(part("img.left"), "", "");
  put(part("img.right"), "", "");
  byId("cards").querySelector(`.tile[data-at="${shown}"]`)?.focus();
});
addEventListener("resize", () => viewer.open && fit());

slide(50);
choose();
