// Comforts only: every page works without this file. No page's data is read or kept here.
"use strict";

function showPassword(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
  });
}

function countDown(button) {
  const label = button.textContent;
  const end = Date.now() + Number(button.dataset.wait) * 1000;
  function tick() {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? button.dataset.text.replace("#", String(left)) : label;
    if (left > 0) setTimeout(tick, 1000);
  }
  tick();
}

function submitOnce(form) {
  const button = form.querySelector("button.primary");
  if (!button) return;
  const label = button.textContent;
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
  });
  window.addEventListener("pageshow", () => {
    button.removeAttribute("aria-busy");
    button.textContent = label;
  });
}

function waitFor(place) {
  const line = place.querySelector("[data-long]");
  const began = Date.now();
  let pause = 1000;
  async function ask() {
    try {
      const answer = await fetch(place.dataset.poll, { headers: { Accept: "application/json" } });
      if (answer.ok && (await answer.json()).done) return location.replace(place.dataset.next);
    } catch { /* offline for a moment: ask again */ }
    if (Date.now() - began > 20000) line.textContent = line.dataset.long;
    pause = Math.min(pause * 1.3, 8000);
    setTimeout(ask, pause);
  }
  setTimeout(ask, pause);
}

document.querySelectorAll(".reveal").forEach(showPassword);
document.querySelectorAll("[data-wait]").forEach(countDown);
document.querySelectorAll("form").forEach(submitOnce);
document.querySelectorAll("[data-poll]").forEach(waitFor);
