// Small courtesies around the page's own refresh; every page works without them.
(() => {
  "use strict";
  const live = () => document.getElementById("live");

  const say = (state, words) => {
    const place = live();
    if (!place) return;
    place.dataset.state = state;
    if (place.textContent !== words) place.textContent = words;
  };

  const reading = () => {
    const chosen = document.getSelection();
    const main = document.getElementById("main");
    return chosen && !chosen.isCollapsed && main && main.contains(chosen.anchorNode);
  };

  // A refresh must not take a text selection away, nor work for a page that nobody sees.
  document.addEventListener("htmx:before:request", (event) => {
    const source = event.detail?.ctx?.sourceElement ?? event.target;
    if (source?.id === "main" && (document.hidden || reading())) event.preventDefault();
  });

  document.addEventListener("htmx:after:request", (event) => {
    const response = event.detail?.ctx?.response;
    const status = response?.raw?.status ?? response?.status ?? 200;
    if (status < 400) say("on", "live");
    else say("off", status === 401 ? "signed out" : "not refreshed");
  });

  document.addEventListener("htmx:error", () => {
    say("off", "no connection");
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (document.querySelector("#main[hx-get]")) say("on", "live");
  });

  // What should be confirmed says so itself.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset?.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
})();
