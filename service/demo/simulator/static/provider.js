// Only comfort: events show up by themselves and can be dragged; links and forms do all of it.
"use strict";

for (const hint of document.querySelectorAll(".comfort")) hint.hidden = false;

let dragged = null;

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("month");
  const shown = document.getElementById("month");
  if (!fresh || dragged || fresh.outerHTML === shown.outerHTML) return;
  const uid = shown.contains(document.activeElement) ? document.activeElement.dataset.uid : null;
  shown.replaceWith(document.adoptNode(fresh));
  if (uid) document.querySelector(`[data-uid="${CSS.escape(uid)}"]`)?.focus();
}

if (document.querySelector("[data-live]")) {
  setInterval(() => { if (!document.hidden) look().catch(() => {}); }, 2000);
}

document.addEventListener("dragstart", (event) => { dragged = event.target.closest?.("[data-uid]"); });
document.addEventListener("dragend", () => { dragged = null; });
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const day = event.target.closest?.("[data-day]");
    if (!dragged || !day) return;
    day.classList.toggle("over", kind === "dragover");
    if (kind === "dragleave") return;
    event.preventDefault();
    if (kind === "drop") move(dragged.dataset.uid, day.dataset.day);
  });
}

async function move(uid, day) {
  const address = document.getElementById("month").dataset.move;
  dragged = null;
  await fetch(`${address}?uid=${encodeURIComponent(uid)}`, { method: "POST", body: new URLSearchParams({ day }) });
  await look();
}
