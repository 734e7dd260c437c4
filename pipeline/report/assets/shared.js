"use strict";

// What the pages share.
const byId = (id) => document.getElementById(id);

const bytes = (count) => {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 999.5) return unit === "B" ? `${Math.round(count)} B` : `${count.toFixed(1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} TB`;
};

function put(image, url, alt) {
  image.alt = alt;
  image.hidden = !url;
  if (url) image.src = url;
  else image.removeAttribute("src");
}

// Two pictures in a frame, one over the other: the upper one is uncovered from the left, as far as the slider says,
// which follows keys and the mouse while `compares` is true. Gives the function that sets it, in per cent.
function sliding(frame, compares) {
  const slider = frame.querySelector("input");
  const slide = (share) => {
    const kept = Math.min(100, Math.max(0, share));
    slider.value = kept;
    frame.querySelector("img.over").style.clipPath = `inset(0 ${100 - kept}% 0 0)`;
    frame.querySelector(".divider").style.left = `${kept}%`;
  };
  slider.addEventListener("input", () => slide(Number(slider.value)));
  frame.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || !compares()) return;
    const box = frame.getBoundingClientRect();
    slide((100 * (event.clientX - box.left)) / box.width);
  });
  return slide;
}

const plainKey = (event) => !event.altKey && !event.ctrlKey && !event.metaKey;
