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

// A part of the page that the server sends anew when something changes.
function follow(live) {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("part", (event) => {
    live.innerHTML = event.data;
    showLocalTimes(live);
  });
  source.addEventListener("over", () => {
    source.close();
    location.reload();
  });
}

showLocalTimes(document);
document.querySelectorAll("[data-live]").forEach(follow);
