// What pages gain where scripts run. Everything works without this file.
"use strict";

// A suggestion's remaining time, counted from when its page was shown.
function countDown(place) {
  if (place.dataset.counting) return;
  place.dataset.counting = "1";
  const end = performance.now() + Number(place.dataset.expires) * 1000;
  function show() {
    const left = end - performance.now();
    const minutes = String(Math.max(0, Math.ceil(left / 60000)));
    place.textContent = left <= 0 ? place.dataset.over : place.dataset.left.replace("#", minutes);
    if (left > 0 && place.isConnected) setTimeout(show, 15000);
  }
  show();
}

function connection() {
  const banner = document.getElementById("offline");
  if (banner) banner.hidden = navigator.onLine;
}

function begin() {
  for (const place of document.querySelectorAll("[data-expires]")) countDown(place);
  connection();
}

document.addEventListener("DOMContentLoaded", begin);
document.addEventListener("htmx:afterSettle", begin);
window.addEventListener("online", connection);
window.addEventListener("offline", connection);
