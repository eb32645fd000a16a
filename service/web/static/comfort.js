// Only comfort: every page does all of this, or offers another way to it, without script.
"use strict";

// Parts that change by themselves are fetched anew, unless the person is busy inside.
for (const part of document.querySelectorAll("[data-live]")) follow(part.id, Number(part.dataset.live));

function follow(id, seconds) {
  const again = async () => {
    const part = document.getElementById(id);
    if (!part || !part.dataset.live) return;
    if (!document.hidden && !document.querySelector(".menu")) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.status === 401) return tellOfTheEnd();
        if (answer.ok && !answer.redirected) replace(part, await answer.text());
      } catch { /* the next time */ }
    }
    setTimeout(again, seconds * 1000);
  };
  setTimeout(again, seconds * 1000);
}

function replace(part, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(part.id);
  if (!fresh) return;
  const open = new Set([...part.querySelectorAll("details[open]")].map((one) => one.textContent));
  for (const one of fresh.querySelectorAll("details")) one.open = open.has(one.textContent);
  if (fresh.outerHTML === part.outerHTML) return;
  const at = part.contains(document.activeElement) ? [document.activeElement.tagName, known(document.activeElement)] : null;
  part.replaceWith(document.adoptNode(fresh));
  if (at) twin(fresh, ...at)?.focus();
}

// By what an element is found again where it was made anew.
function known(element) {
  return element.id || element.getAttribute("href") || element.getAttribute("aria-label") || element.parentElement.textContent;
}

function twin(within, tag, name) {
  return [...within.querySelectorAll(tag)].find((one) => known(one) === name);
}

function tellOfTheEnd() {
  const said = "Your session has ended, so this page no longer follows what happens. Open My Calendar in Vorex and follow its link here.";
  document.getElementById("main").prepend(
    Object.assign(document.createElement("p"), { className: "note warn", role: "alert", textContent: said }));
}

// Whoever works by keyboard stays where they are: at what is wrong, at the button that was pressed, or at the content.
addEventListener("DOMContentLoaded", () => {
  const [path, tag, name] = JSON.parse(sessionStorage.getItem("pressed") ?? "[]");
  sessionStorage.removeItem("pressed");
  const wrong = document.querySelector("[aria-invalid=true]");
  if (wrong) return (wrong.matches("fieldset") ? wrong.querySelector("input") : wrong).focus();
  if (!tag) return;
  const main = document.getElementById("main");
  ((path === location.pathname && twin(main, tag, name)) || main).focus({ preventScroll: true });
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

// Ranges can be chosen only where their option is enabled (G9).
for (const option of document.querySelectorAll("[data-option]")) {
  const set = () => {
    const on = option.querySelector("[value=yes]").checked;
    for (const select of option.querySelectorAll("select")) select.disabled = !on;
  };
  option.addEventListener("change", set);
  set();
}

// An appointment for the whole day has no times; one that moves keeps its length.
for (const form of document.querySelectorAll("[data-appointment]")) {
  const { all_day: whole, start_day: start, end_day: end } = form.elements;
  const set = () => { for (const time of form.querySelectorAll("[data-time]")) time.hidden = whole.checked; };
  whole.addEventListener("change", set);
  let before = start.valueAsNumber;
  start.addEventListener("change", () => {
    if (Number.isNaN(start.valueAsNumber)) return;
    if (!Number.isNaN(end.valueAsNumber) && !Number.isNaN(before)) end.valueAsNumber += start.valueAsNumber - before;
    before = start.valueAsNumber;
  });
  set();
}

// A day of My Calendar: a menu where it is right-clicked, arrows and N where it has the focus (G17).
for (const hint of document.querySelectorAll(".comfort")) hint.hidden = false;

const newOn = (day) => `/my-calendar/new?day=${day.dataset.day}${day.dataset.view ? `&view=${day.dataset.view}` : ""}`;

function closeMenu() {
  const menu = document.querySelector(".menu");
  menu?.remove();
  return menu;
}

document.addEventListener("contextmenu", (event) => {
  closeMenu();
  const day = event.target.closest?.("[data-day]");
  if (!day || event.target.closest(".item, .agenda a")) return;
  event.preventDefault();
  const from = document.activeElement;
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.setAttribute("role", "menu");
  const choices = [["Add appointment", newOn(day)]];
  if (!day.dataset.view) choices.push(["Open this day", `/my-calendar?day=${day.dataset.day}`]);
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
document.addEventListener("click", (event) => { if (!event.target.closest?.(".menu")) closeMenu(); });

document.addEventListener("keydown", (event) => {
  const day = event.target.closest?.("[data-day]");
  if (!day || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "n" || event.key === "N" || event.key === "Insert") {
    event.preventDefault();
    location.assign(newOn(day));
    return;
  }
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 }[event.key];
  if (!step || !event.target.classList.contains("day")) return;
  const all = [...document.querySelectorAll(".day")];
  const next = all[all.indexOf(event.target) + step];
  if (next) { event.preventDefault(); next.focus(); }
});
