// Spares reloads: posts forms, looks for what has arrived, counts down, opens links in the phone.
"use strict";

const LOOK_EVERY = 1500;
const known = new Map();
let offset = Number(document.body.dataset.offset);
let busy = false;

const parts = (root) => [...root.querySelectorAll("[data-part]")];
parts(document).forEach((part) => known.set(part.dataset.part, part.innerHTML));

function take(html, all) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  offset = Number(fresh.body.dataset.offset);
  for (const part of parts(fresh)) {
    const name = part.dataset.part;
    if (known.get(name) === part.innerHTML || (name === "note" && !all)) continue;
    const here = document.querySelector(`[data-part="${name}"]`);
    if (!all && here.contains(document.activeElement) && name === "people") continue;
    known.set(name, part.innerHTML);
    here.replaceChildren(...part.cloneNode(true).childNodes);
    if (name === "chat") here.scrollTop = here.scrollHeight;
  }
  tick();
}

async function look() {
  if (busy || document.hidden) return;
  try {
    const answer = await fetch(`?lang=${document.documentElement.lang}`);
    if (answer.ok && !busy) take(await answer.text(), false);
  } catch { /* The sandbox has ended: keep what is shown. */ }
}

let last = Promise.resolve(); // one after another, in the order they were pressed

async function send(form, body) {
  busy = true;
  document.querySelector("main").setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    take(await answer.text(), true);
  } catch { /* As above. */ } finally {
    busy = false;
    document.querySelector("main").removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  if (form.hasAttribute("data-composer")) form.reset();
  last = last.then(() => send(form, body));
});

const web = document.querySelector("[data-web]");
const frame = web.querySelector("iframe");
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-inside]");
  if (link) {
    event.preventDefault();
    web.hidden = false;
    web.querySelector("[data-address]").textContent = link.textContent.trim();
    frame.src = link.href;
    web.querySelector("[data-close]").focus();
  } else if (event.target.closest("[data-close]")) {
    web.hidden = true;
    frame.src = "about:blank";
    document.querySelector(".chat").focus();
  }
});

function left(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(seconds % 60)}`;
}

function tick() {
  const now = Date.now() / 1000 + offset;
  for (const time of document.querySelectorAll("[data-until]")) {
    time.textContent = left(Math.max(0, Math.ceil(time.dataset.until - now)));
  }
  const beijing = new Date((now + 8 * 3600) * 1000).toISOString();
  for (const time of document.querySelectorAll("[data-clock]")) {
    const long = time.dataset.clock === "long";
    time.textContent = long ? beijing.slice(0, 19).replace("T", " ") : beijing.slice(11, 16);
  }
}

const chat = document.querySelector(".chat");
chat.scrollTop = chat.scrollHeight;
tick();
setInterval(tick, 500);
setInterval(look, LOOK_EVERY);
