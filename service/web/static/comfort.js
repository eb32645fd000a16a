// Only comfort: every page does all of this, or offers another way to it, without script.
"use strict";

// Parts that change by themselves are fetched anew, unless the person is busy inside.
// One question serves all of them, and what only goes along (data-along).
follow();

function follow() {
  const live = [...document.querySelectorAll("[data-live]")];
  if (!live.length) return;
  setTimeout(async () => {
    if (!document.hidden && !busy() && await look()) return;
    follow();
  }, Math.min(...live.map((part) => Number(part.dataset.live))) * 1000);
}

// Nothing is taken out of a hand, nor a menu from under it.
function busy() { return document.querySelector("[data-held], [data-moving], .menu, .picked"); }

// Whether nobody need look again: the session has ended.
async function look() {
  try {
    const page = await pageNow();
    if (page.status === 401) return tellOfTheEnd(), true;
    if (!busy()) page.show();
    tellOfSilence(page.status >= 500);
  } catch { tellOfSilence(true); }
  return false;
}

// This page as it is now; of two answers the one that was asked for later stays, in whichever order they come.
const PATIENCE = 15_000;
let asked = 0, shown = 0;

// What was asked for until now is old, however late it comes.
function outdate() { shown = ++asked; }

async function pageNow() {
  const number = ++asked;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
  const text = answer.ok && !answer.redirected ? await answer.text() : null;
  const show = () => {
    if (text === null || number < shown) return;
    shown = number;
    for (const part of document.querySelectorAll("[data-live], [data-along]")) replace(part, text);
  };
  return { status: answer.status, show };
}

// A server that does not answer is said, with since when what is shown is old, until it answers again.
function tellOfSilence(silent) {
  const said = document.getElementById("silence");
  if (!silent) return said?.remove();
  if (said) return;
  const time = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
  const main = document.getElementById("main");
  main.prepend(Object.assign(document.createElement("p"), {
    id: "silence", className: "note warn", role: "alert",
    textContent: main.dataset.silent.replace("{time}", time) }));
}

function replace(part, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part.id);
  if (!fresh) return;
  const open = new Set([...part.querySelectorAll("details[open]")].map((one) => one.id || one.textContent));
  for (const one of fresh.querySelectorAll("details")) one.open = open.has(one.id || one.textContent);
  if (fresh.outerHTML === part.outerHTML) return;
  const at = part.contains(document.activeElement) ? [document.activeElement.tagName, known(document.activeElement)] : null;
  const left = part.scrollLeft;
  part.replaceWith(document.adoptNode(fresh));
  fresh.scrollLeft = left;
  if (at) (twin(fresh, ...at) ?? document.getElementById("main")).focus({ preventScroll: true });
}

// By what an element is found again where it was made anew.
function known(element) {
  return element.id || element.getAttribute("href") || element.getAttribute("aria-label") || element.parentElement.textContent;
}

function twin(within, tag, name) {
  return [...within.querySelectorAll(tag)].find((one) => known(one) === name);
}

function tellOfTheEnd() {
  const main = document.getElementById("main");
  main.prepend(Object.assign(document.createElement("p"), { className: "note warn", role: "alert", textContent: main.dataset.ended }));
}

// Whoever works by keyboard stays where they are: at what is wrong, at the button that was pressed, or at the content.
addEventListener("DOMContentLoaded", () => {
  const [path, tag, name] = JSON.parse(sessionStorage.getItem("pressed") ?? "[]");
  sessionStorage.removeItem("pressed");
  const wrong = document.querySelector("[aria-invalid=true]");
  if (wrong) return (wrong.matches("fieldset") ? wrong.querySelector("input") : wrong).focus();
  if (!tag) return;
  const main = document.getElementById("main");
  ((path === location.pathname && twin(main, tag, name)) || main.querySelector("[autofocus]") || main).focus({ preventScroll: true });
});

// A form is sent once, however often its button is pressed.
addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (form.method === "post") {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000);
  }
  if (submitter?.matches(":focus-visible")) {
    sessionStorage.setItem("pressed", JSON.stringify([location.pathname, submitter.tagName, known(submitter)]));
  }
});
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

// What takes a while comes after the page; without script a button asks for it.
for (const part of document.querySelectorAll("[data-fetch]")) bring(part);

async function bring(part) {
  const waiting = Object.assign(document.createElement("p"), { className: "waiting", textContent: part.dataset.fetching });
  const asking = part.querySelectorAll(":scope > :not(h3)");
  for (const one of asking) one.hidden = true;
  part.append(waiting);
  try {
    const answer = await fetch(part.dataset.fetch, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) return replace(part, await answer.text());
  } catch { /* the button is still there */ }
  waiting.remove();
  for (const one of asking) one.hidden = false;
}

// Whoever chooses all sees each of them chosen; to leave one out chooses the others one by one.
for (const all of document.querySelectorAll("[data-choose-all]")) {
  const each = () => all.form.querySelectorAll("input[name=letter]");
  all.addEventListener("change", () => { for (const one of each()) one.checked = all.checked; });
  all.form.addEventListener("change", ({ target }) => { if (target.name === "letter" && !target.checked) all.checked = false; });
}

// Ranges can be chosen only where their option is enabled (G9).
for (const option of document.querySelectorAll("[data-option]")) {
  const set = () => {
    const on = option.querySelector("[value=yes]").checked;
    const selects = [...option.querySelectorAll("select")];
    for (const select of selects) select.disabled = !on;
    const [from, until] = selects.map((select) => select.selectedOptions[0].dataset.day);
    option.querySelector("[data-days]").textContent = on ? `${from} – ${until}` : "";
  };
  option.addEventListener("change", set);
  set();
}

// Settings that were changed on this step and not sent are not left without a word.
for (const form of document.querySelectorAll("[data-unsaved]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

// What was said once is not said again when the page is opened anew.
{
  const here = new URL(location.href);
  for (const word of ["notice", "complaint", "of", "undo"]) here.searchParams.delete(word);
  if (here.href !== location.href) history.replaceState(history.state, "", here);
}

// An appointment for the whole day has no times; one that moves keeps its length.
for (const form of document.querySelectorAll("[data-appointment]")) {
  const { all_day: whole, start_day, start_time, end_day, end_time, shown } = form.elements;
  const set = () => { for (const time of form.querySelectorAll("[data-time]")) time.hidden = whole.checked; };
  whole.addEventListener("change", set);
  shown.disabled = true;  // the end follows here already
  const DAY = 86_400_000, at = (day, time) => day.valueAsNumber + (time.value ? time.valueAsNumber : 0);
  let before = at(start_day, start_time);
  for (const field of [start_day, start_time]) field.addEventListener("change", () => {
    const now = at(start_day, start_time), end = at(end_day, end_time) + now - before;
    if (Number.isNaN(now)) return;
    before = now;
    if (Number.isNaN(end)) return;
    end_day.valueAsNumber = Math.floor(end / DAY) * DAY;
    if (end_time.value) end_time.value = new Date(end).toISOString().slice(11, 16);
  });
  set();
}
