// What a page gains from a browser that runs scripts. Without it all pages work, too.
"use strict";

// Times of users who have not said in which zone they are.
function showLocalTimes(root) {
  const format = new Intl.DateTimeFormat("sv-SE", {
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  for (const time of root.querySelectorAll("time[data-local]")) {
    time.textContent = format.format(new Date(time.dateTime));
  }
}

// What somebody has opened, scrolled and focused in an element.
function stateOf(root) {
  const open = new Map();
  for (const details of root.querySelectorAll("details[id]")) open.set(details.id, details.open);
  if (root.matches("details[id]")) open.set(root.id, root.open);
  const scrolled = new Map();
  for (const box of root.querySelectorAll("pre[id]")) {
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
    scrolled.set(box.id, atEnd ? null : box.scrollTop);
  }
  const focused = root.contains(document.activeElement) ? document.activeElement.id : "";
  return { open, scrolled, focused };
}

// Whose end was seen sees the end of what has grown, too.
function scroll(box, to) {
  box.scrollTop = to ?? box.scrollHeight;
}

// Puts an element in the place of another, as far as somebody looks at it as that was.
function replace(old, fresh) {
  const { open, scrolled, focused } = stateOf(old);
  old.replaceWith(fresh);
  for (const [id, is] of open) {
    const details = document.getElementById(id);
    if (!details) continue;
    details.open = is;
    if (is) details.dataset.seen = "";
  }
  for (const [id, to] of scrolled) {
    const box = document.getElementById(id);
    if (box) scroll(box, to);
  }
  const lost = focused === "" ? null : document.getElementById(focused);
  if (lost) lost.focus({ preventScroll: true });
}

// Whether text in an element is selected, which would be lost.
function isSelectedIn(root) {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && root.contains(selection.anchorNode);
}

// Parts of the page that the server sends anew when something changes, each with its id.
function follow(live) {
  const source = new EventSource(live.dataset.live);
  const status = document.querySelector("[data-status]");
  const late = new Map();
  function put(fresh) {
    const old = document.getElementById(fresh.id);
    if (old === null || !live.contains(old)) {
      live.append(fresh);
    } else if (isSelectedIn(old)) {
      late.set(fresh.id, fresh);
      return;
    } else {
      replace(old, fresh);
    }
    showLocalTimes(fresh);
    // Only what matters is said aloud, and only when it is new.
    const say = fresh.dataset.say;
    if (status && say !== undefined && status.textContent !== say) status.textContent = say;
  }
  document.addEventListener("selectionchange", () => {
    const waiting = [...late.values()];
    late.clear();
    waiting.forEach(put);
  });
  source.addEventListener("part", (event) => {
    const template = document.createElement("template");
    template.innerHTML = event.data;
    const fresh = template.content.firstElementChild;
    late.delete(fresh.id);
    put(fresh);
  });
  source.addEventListener("over", () => {
    source.close();
    location.reload();
  });
  // When the connection breaks browsers ask again by themselves; if the server has refused, it says
  // why on the page.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 10000);
  });
}

// A log is of interest at its end, when it is opened.
document.addEventListener("toggle", (event) => {
  if ("seen" in event.target.dataset) return;
  event.target.dataset.seen = "";
  for (const box of event.target.querySelectorAll("pre.log")) scroll(box, null);
}, true);

// One that is open from the start was opened before anybody listened.
for (const box of document.querySelectorAll("details[open] pre.log")) scroll(box, null);

// What the server is still looking for.
for (const waiting of document.querySelectorAll("[data-reload]")) {
  setTimeout(() => location.reload(), 1000 * Number(waiting.dataset.reload));
}

showLocalTimes(document);
document.querySelectorAll("[data-live]").forEach(follow);
