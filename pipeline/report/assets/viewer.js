// The viewer: one rendition as large as it fits, its source over it as far as the slider says.
const viewer = byId("viewer");
const part = (name) => viewer.querySelector(name);
const slider = part("input");
const LARGEST = 2; // times its own size, that a small rendition is shown at
const slide = sliding(part(".frame"), () => !viewer.classList.contains("single"));
let shown = 0; // its place among those that are chosen
let current = 0; // the number of the rendition, which may be another one of the same picture

function openViewer(at) {
  if (!viewer.open) viewer.showModal();
  show(at);
}

function show(at, number = gallery.chosen[at]) {
  if (at < 0 || at >= gallery.chosen.length) return;
  shown = at;
  current = number;
  const one = rendition(number);
  const both = Boolean(one.targetUrl) && one.targetShows && one.sourceShows;
  put(part("img.target"), one.targetUrl && one.targetShows ? one.targetUrl : "", one.alt || one.path);
  put(part("img.source"), one.sourceShows ? one.sourceUrl : "", "");
  part(".lacking").textContent = one.targetUrl
    ? one.targetShows ? "" : `No browser shows ${one.format}; the link below opens the file.`
    : one.error || page.statuses[one.status];
  viewer.classList.toggle("single", !both);
  viewer.classList.toggle("without-target", !(one.targetUrl && one.targetShows));
  slide(both ? 50 : one.targetUrl ? 0 : 100);
  part(".title").textContent = one.path;
  part(".about").textContent = [
    one.name,
    one.width ? `${one.format} ${one.width} × ${one.height}, ${bytes(one.bytes)}` : page.statuses[one.status],
    one.sourceWidth ? `from ${one.sourceFormat} ${one.sourceWidth} × ${one.sourceHeight}, ${bytes(one.sourceBytes)}` : "",
    `${(at + 1).toLocaleString("en")} of ${gallery.chosen.length.toLocaleString("en")}`,
  ].filter(Boolean).join(" · ");
  offerSiblings(siblings(number), number);
  link(part(".open-target"), one.targetUrl);
  link(part(".open-source"), one.sourceUrl);
  part(".previous").disabled = at === 0;
  part(".next").disabled = at === gallery.chosen.length - 1;
  fit();
}

function offerSiblings(numbers, chosen) {
  const names = numbers.map((number) => {
    const { name, format, width, height, status } = rendition(number);
    return new Option(`${name} · ${width ? `${format} ${width} × ${height}` : page.statuses[status]}`, number, false, number === chosen);
  });
  part("select").replaceChildren(...names);
  part("select").hidden = names.length < 2;
}

function link(anchor, url) {
  anchor.hidden = !url;
  if (url) anchor.href = url;
  else anchor.removeAttribute("href");
}

function fit() {
  const one = rendition(current);
  const stage = part(".stage");
  const width = one.width || one.sourceWidth || 400;
  const height = one.height || one.sourceHeight || 300;
  const scale = Math.min(LARGEST, stage.clientWidth / width, stage.clientHeight / height);
  part(".frame").style.width = `${Math.round(width * scale)}px`;
  part(".frame").style.height = `${Math.round(height * scale)}px`;
}

// Of the document: what had the focus may be hidden by now, as the slider is where there is nothing to compare.
document.addEventListener("keydown", (event) => {
  if (!viewer.open || !plainKey(event) || (event.target === part("select") && /Up|Down/.test(event.key))) return;
  const act = {
    ArrowLeft: () => show(shown - 1),
    ArrowRight: () => show(shown + 1),
    Home: () => show(0),
    End: () => show(gallery.chosen.length - 1),
    ArrowUp: () => slide(Number(slider.value) + 5),
    ArrowDown: () => slide(Number(slider.value) - 5),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  if (!event.key.endsWith("Up") && !event.key.endsWith("Down")) act();
  else if (!viewer.classList.contains("single")) act();
});

part(".previous").addEventListener("click", () => show(shown - 1));
part(".next").addEventListener("click", () => show(shown + 1));
part("select").addEventListener("input", () => show(shown, Number(part("select").value)));
part(".close").addEventListener("click", () => viewer.close());
part(".stage").addEventListener("click", (event) => event.target === part(".stage") && viewer.close());
viewer.addEventListener("close", () => {
  put(part("img.target"), "", "");
  put(part("img.source"), "", "");
  gallery.focus(shown);
});
addEventListener("resize", () => viewer.open && fit());
