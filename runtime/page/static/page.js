"use strict";
// Says whether the page still follows the store, and lets "/" jump to the search. Without it all else works.
(() => {
  const live = document.getElementById("live");
  const told = document.getElementById("standing-of-page");
  const tell = (text, isLost) => {
    told.textContent = text;
    told.classList.toggle("lost", isLost);
  };
  if (live && told) {
    const lost = "The process that serves this page does not answer. What is shown may be old.";
    live.addEventListener("htmx:sse:after:connection", (event) => {
      if (event.detail.connection.status === 200) tell("It changes as the store changes.", false);
    });
    live.addEventListener("htmx:sse:error", () => tell(lost, true));
    live.addEventListener("store-lost", (event) => tell(`What is shown may be old: ${event.detail.data}`, true));
    live.addEventListener("store-found", () => tell("It changes as the store changes.", false));
  }
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      document.getElementById("q").focus();
    }
  });
})();
