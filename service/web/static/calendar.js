// My Calendar with a pointer and by keys; links and forms do all of it, too.
"use strict";

for (const hint of document.querySelectorAll(".comfort")) hint.hidden = false;
for (const plain of document.querySelectorAll("[data-plain]")) plain.hidden = true;

// What is said here, in the language of the page.
const texts = document.querySelector(".calendar-head")?.dataset ?? {};
const QUARTER = 15;
const view = () => document.querySelector("[data-live][data-view]")?.dataset.view ?? "";
const twoDigits = (number) => String(number).padStart(2, "0");
const clock = (minutes) => `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);

// As the link that adds leads, with view and filters, on another day and at other hours.
function newAt(day, from, to) {
  const address = new URL(document.getElementById("add").href);
  address.searchParams.set("day", day);
  if (from !== undefined) address.searchParams.set("at", clock(from));
  if (to < 1440) address.searchParams.set("to", clock(to));
  return address.href;
}

const token = () => document.querySelector("[name=csrf_token]")?.value ?? "";

// In sight wherever the page is scrolled, until it has been read.
const READING = 15_000;

// What was done, or why it was not; what is good is heard from a place that was there before it.
function tell(words, bad, undo) {
  for (const one of document.querySelectorAll("#told, #main > .note.good[role=status]")) one.remove();
  const note = Object.assign(document.createElement("div"), { id: "told", className: `note ${bad ? "bad" : "good"}` });
  if (bad) note.setAttribute("role", "alert");
  note.append(Object.assign(document.createElement("span"), { textContent: words }));
  if (undo) note.append(undoing(undo));
  document.getElementById("main").prepend(note);
  setTimeout(() => note.classList.add("read"), READING);
  document.getElementById("heard").textContent = bad ? "" : words;
}

// Beside what was said before, whose Undo stays.
function tellBusy() {
  const said = document.querySelector("#told span");
  if (!said) return tell(texts.busy, true);
  if (!said.textContent.includes(texts.busy)) said.textContent += ` ${texts.busy}`;
}

// Sent as a form of the page, it comes back to the same view with its own note.
function undoing({ address, word }) {
  const carried = new URL(document.getElementById("add").href).searchParams;
  for (const name of ["day", "at", "to"]) carried.delete(name);
  const form = Object.assign(document.createElement("form"), { method: "post", action: `${address}&${carried}` });
  form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "csrf_token", value: token() }));
  form.append(Object.assign(document.createElement("button"), { textContent: word }));
  return form;
}

// Moved or stretched, one at a time: nothing else is taken up meanwhile, and keys pressed again go together next.
const PAUSE = 250;
let moving = null;

async function move(item, steps) {
  const { key, version } = item.dataset;
  if (moving) return moving.key === key ? add(steps) : tellBusy();
  moving = { key, next: null, version: null, undo: null };
  document.body.toggleAttribute("data-moving", true);
  try { await moveOn(version, steps); } catch {
    tell(texts.unanswered, true, moving.undo);  // made or not: the next look shows it
    [moving.key, moving.next] = [null, null];
    await lookAgain();
  }
  moving = null;
  document.body.toggleAttribute("data-moving", false);
  document.querySelectorAll(".carried").forEach(putBack);
  remember(last);
}

function add(steps) {
  moving.next ??= {};
  for (const [name, by] of Object.entries(steps)) moving.next[name] = (moving.next[name] ?? 0) + by;
}

// Each from what the last made of it, so that nobody else's change is overwritten; behind a refusal none is made.
async function moveOn(version, steps) {
  while (steps && Object.values(steps).some(Boolean)) {
    const pause = new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    moving.version = null;
    const said = await send(version, steps);
    if (!said) [moving.key, moving.next] = [null, null];
    else moving.version = version = said.version;
    await lookAgain();
    if (!said) return;
    if (moving.next) await pause;
    [steps, moving.next] = [moving.next, null];
  }
}

async function lookAgain() {
  await pageNow().then((page) => page.show()).catch(() => {});
  if (document.activeElement.closest("[data-key]")) document.activeElement.scrollIntoView({ block: "nearest" });
}

async function send(version, steps) {
  const { key } = moving;
  const answer = await fetch(`/my-calendar/item/move?key=${encodeURIComponent(key)}`, {
    method: "POST", headers: { Accept: "application/json" }, keepalive: true, signal: AbortSignal.timeout(PATIENCE),
    body: new URLSearchParams({ csrf_token: token(), version, ...steps }) });
  if (answer.status >= 500) throw new Error(answer.status);
  const said = await answer.json();
  if (!answer.ok) return tell(texts.refused.replace("{why}", () => said.detail), true, moving?.undo);
  outdate();
  if (last?.dataset.key === key) last.dataset.version = said.version;
  if (moving && said.undo) moving.undo = fromTheFirst(moving.undo ?? said.undo, said.version);
  tell(texts.moved.replace("{when}", () => said.moved), false, moving?.undo);
  return said;
}

// Undone is all that went together: to the times before the first of them, unless somebody changed the last.
function fromTheFirst(undo, version) {
  return { ...undo, address: undo.address.replace(/times=\d+/, `times=${version}`) };
}

// What waits goes along where the page is left; where the answer before it is not known yet, the person is asked.
for (const leaving of ["beforeunload", "pagehide"]) addEventListener(leaving, (event) => {
  if (!moving?.next) return;
  if (!moving.version) return event.preventDefault();
  send(moving.version, moving.next).catch(() => {});
  moving.next = null;
});

// -- by pointer ---------------------------------------------------------------------------------

let held = null;

function hold(what) {
  held = what;
  document.body.toggleAttribute("data-held", Boolean(what));
}

// Places are the page's own, for it may be scrolled meanwhile; of several pointers one counts.
document.addEventListener("pointerdown", (event) => {
  last = null;
  if (event.button || event.pointerType === "touch") return;
  if (held) drop();
  const item = event.target.closest?.("[data-key]"), slot = event.target.closest?.(".slot");
  const at = { id: event.pointerId, x: event.pageX, y: event.pageY };
  if (moving) hold({ ...at, busy: true });
  else if (item) hold({ ...at, item, stretches: event.target.matches(".stretch"), from: dayAt(event) });
  else if (slot) {
    const column = slot.closest(".column");
    hold({ ...at, column, top: column.getBoundingClientRect().top + scrollY });
  }
});

document.addEventListener("pointermove", (event) => {
  if (event.pointerId !== held?.id) return;
  if (!event.buttons) return drop();  // let go where this page does not see it
  const x = event.pageX - held.x, y = event.pageY - held.y;
  if (!held.moving && Math.hypot(x, y) < 6) return;
  if (!held.moving) begin();
  event.preventDefault();
  if (held.column) pick(event);
  else if (held.stretches) held.item.style.height = `${held.height + y}px`;
  else if (held.item) {
    held.item.style.transform = `translate(${x}px, ${y}px)`;
    mark(dayAt(event));
  }
});

function begin() {
  held.moving = true;
  getSelection().removeAllRanges();
  if (!held.item) return;
  held.height = held.item.offsetHeight;
  held.item.classList.add("carried");
}

document.addEventListener("pointerup", (event) => {
  if (event.pointerId !== held?.id) return;
  const done = held;
  hold(null);
  if (!done.moving) return;
  addEventListener("click", forbid, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", forbid, { capture: true }));
  if (done.busy) return tellBusy();
  if (done.column) {
    document.querySelector(".picked")?.remove();
    return location.assign(done.address);
  }
  if (!done.item) return;
  const steps = stepsOf(done, event);
  mark(null);
  if (Object.values(steps).some(Boolean)) move(done.item, steps);
  else putBack(done.item);
});

document.addEventListener("pointercancel", (event) => { if (event.pointerId === held?.id) drop(); });
document.addEventListener("dragstart", (event) => { if (event.target.closest?.("[data-key], .slot")) event.preventDefault(); });

// Given up with the button still down: what is let go then is neither moved nor clicked.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !held) return;
  const { id, x, y, moving } = held;
  drop();
  hold({ id, x, y, moving });
});

function forbid(event) { event.preventDefault(); event.stopPropagation(); }

function drop() {
  if (held?.item) putBack(held.item);
  document.querySelector(".picked")?.remove();
  mark(null);
  hold(null);
}

function putBack(item) {
  item.classList.remove("carried");
  item.removeAttribute("style");
}

function dayAt(event) {
  return document.elementsFromPoint(event.clientX, event.clientY).find((one) => one.matches("[data-day]"));
}

function mark(day) {
  for (const one of document.querySelectorAll(".target")) one.classList.remove("target");
  day?.classList.add("target");
}

function quarterHeight(part) {
  const slot = part.closest(".hours")?.querySelector(".slot");
  return slot ? slot.offsetHeight / 4 : 0;
}

function stepsOf({ item, stretches, x, y, from }, event) {
  const height = quarterHeight(item);
  const minutes = height && !("whole" in item.dataset) ? Math.round((event.pageY - y) / height) * QUARTER : 0;
  if (stretches) return { longer: minutes };
  const to = dayAt(event);
  if (!to && item.closest(".column")) return {};  // beside the hours it is given up
  const days = from && to ? daysBetween(from.dataset.day, to.dataset.day) : barDays(x - scrollX, event.clientX);
  return { days, minutes: item.closest(".column") ? minutes : 0 };
}

// Above the hours no day lies under the pointer: its head is right above or below.
function barDays(from, to) {
  const boxes = [...document.querySelectorAll(".head")].map((head) => head.getBoundingClientRect());
  const [before, after] = [from, to].map((x) => boxes.findIndex(({ left, right }) => x >= left && x < right));
  return before < 0 || after < 0 ? 0 : after - before;
}

// Free hours over which the pointer is drawn become a new appointment.
function pick(event) {
  const box = held.column.getBoundingClientRect(), height = quarterHeight(held.column);
  const first = Number(held.column.closest(".hours").dataset.first) * 60;
  const quarter = (y) => Math.floor(Math.min(Math.max(y, 0), box.height - 1) / height);
  const [from, to] = [quarter(held.y - held.top), quarter(event.clientY - box.top)].sort((one, other) => one - other);
  const [starts, ends] = [first + from * QUARTER, first + (to + 1) * QUARTER];
  held.address = newAt(held.column.dataset.day, starts, ends);
  let picked = document.querySelector(".picked");
  if (!picked) held.column.append(picked = Object.assign(document.createElement("div"), { className: "picked" }));
  picked.style.top = `${from * height}px`;
  picked.style.height = `${(to + 1 - from) * height}px`;
  picked.textContent = `${clock(starts)} – ${clock(ends)}`;
}

// A click on the free part of a day of the month adds there.
document.addEventListener("click", (event) => {
  if (!event.target.closest?.(".menu")) closeMenu();
  const day = event.target.closest?.("td[data-day]");
  if (day && !event.target.closest("a") && matchMedia("(min-width: 40rem)").matches) location.assign(newAt(day.dataset.day));
});

// -- a menu where a day is right-clicked (G17) ----------------------------------------------------

function closeMenu() {
  const menu = document.querySelector(".menu");
  menu?.remove();
  return menu;
}

document.addEventListener("contextmenu", (event) => {
  closeMenu();
  const day = event.target.closest?.("[data-day]");
  if (!day || event.target.closest(".item, .block, .agenda a")) return;
  event.preventDefault();
  const from = document.activeElement;
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.setAttribute("role", "menu");
  const hour = event.target.closest(".slot")?.dataset.hour;
  const choices = [[document.getElementById("add").textContent, hour === undefined ? newAt(day.dataset.day) : newAt(day.dataset.day, hour * 60, hour * 60 + 60)]];
  if (view() !== "day") choices.push([texts.open, document.getElementById(`d${day.dataset.day}`).href]);
  for (const [word, href] of choices) {
    const choice = Object.assign(document.createElement("a"), { textContent: word, href });
    choice.setAttribute("role", "menuitem");
    menu.append(choice);
  }
  document.body.append(menu);
  const box = day.getBoundingClientRect();
  const x = event.clientX || box.left + 16, y = event.clientY || box.top + 32;
  menu.style.left = `${Math.min(x, innerWidth - menu.offsetWidth - 8) + scrollX}px`;
  menu.style.top = `${Math.min(y, innerHeight - menu.offsetHeight - 8) + scrollY}px`;
  menu.firstChild.focus();
  menu.addEventListener("keydown", (key) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[key.key];
    if (step) {
      key.preventDefault();
      const all = [...menu.children];
      all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
    } else if (key.key === "Escape" || key.key === "Tab") {
      closeMenu();
      from?.focus();
    }
  });
});

// -- by keys --------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (!(at instanceof Element) || at.matches("input, textarea, select") || event.ctrlKey || event.metaKey) return;
  if (event.altKey) return moveByKey(event, at);
  if (event.key === "n" || event.key === "N" || event.key === "Insert") {
    const day = at.closest("[data-day]"), slot = at.closest(".slot"), add = document.getElementById("add");
    if (!day && !add) return;
    event.preventDefault();
    return location.assign(slot?.href ?? (day ? newAt(day.dataset.day) : add.href));
  }
  if (event.shiftKey) return;
  if (at.matches(".slot")) return walkHours(event, at);
  if (!at.classList.contains("day")) return;
  if (event.key === "ArrowDown" && at.closest(".hours")) {
    event.preventDefault();
    return document.querySelector(`.column[data-day="${at.dataset.day}"] .slot`)?.focus();
  }
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  const all = [...document.querySelectorAll(".day")];
  const next = step && all[all.indexOf(at) + step];
  if (next) { event.preventDefault(); next.focus(); }
});

// What keys moved out of the view follows them for a while: the next of them is not the browser's.
const FOLLOWING = 5000;
let last = null, forgetting;

function remember(item) {
  last = item;
  clearTimeout(forgetting);
  forgetting = setTimeout(() => { if (!moving) last = null; }, FOLLOWING);
}

function moveByKey(event, at) {
  const up = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0, side = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const item = at.closest("[data-key]") ?? (at.matches("body, #main") ? last : null);
  if (!item || !(up || side)) return;
  event.preventDefault();
  if (held) return;
  remember(item);
  const month = !item.closest(".hours");
  if ("whole" in item.dataset || month) return event.shiftKey ? move(item, { longer: side * 1440 }) : move(item, { days: side + (month ? up * 7 : 0) });
  return move(item, event.shiftKey ? { longer: up * QUARTER } : { days: side, minutes: up * QUARTER });
}

// The hours of a day one by one, and to the same hour of its neighbours; up from the first to the day's head.
function walkHours(event, slot) {
  const columns = [...document.querySelectorAll(".column")], hour = slot.dataset.hour;
  const beside = { ArrowLeft: -1, ArrowRight: 1 }[event.key], up = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const column = slot.closest(".column");
  let next = null;
  if (beside) next = columns[columns.indexOf(column) + beside]?.querySelector(`[data-hour="${hour}"]`);
  if (up) next = up > 0 ? slot.nextElementSibling : slot.previousElementSibling ?? document.getElementById(`d${column.dataset.day}`);
  if (next) { event.preventDefault(); next.focus(); }
}
