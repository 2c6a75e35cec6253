"use strict";
// Says whether the page still follows the store, counts ages on, shows local time to whoever wants it, and lets "/" jump
// to the search. Without it all else works.
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

  // Ages are by the store's clock: what it showed when they were drawn, and what has passed here since.
  const drawn = new WeakMap();
  const nowOf = (element) => {
    const now = element.dataset.now;
    if (drawn.get(element)?.now !== now) drawn.set(element, { now, since: performance.now() });
    return Number(now) + (performance.now() - drawn.get(element).since) / 1000;
  };
  const span = (given) => {
    const seconds = Math.max(0, given);
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (seconds >= size * 2) return `${Math.round(seconds / size)} ${unit}`;
    }
    return `${Math.round(seconds)} s`;
  };
  const due = (left) => (left >= 0 ? `in ${span(left)}` : `overdue by ${span(-left)}`);
  const pad = (number, length) => String(number).padStart(length, "0");
  const local = (seconds) => {
    const at = new Date(seconds * 1000);
    const off = -at.getTimezoneOffset();
    const day = `${at.getFullYear()}-${pad(at.getMonth() + 1, 2)}-${pad(at.getDate(), 2)}`;
    const time = `${pad(at.getHours(), 2)}:${pad(at.getMinutes(), 2)}:${pad(at.getSeconds(), 2)}`;
    const zone = `${off < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(off) / 60), 2)}:${pad(Math.abs(off) % 60, 2)}`;
    return `${day} ${time}.${pad(at.getMilliseconds(), 3)} ${zone}`;
  };
  const utc = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").replace("Z", " UTC");
  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const kept = {  // a browser may keep nothing, and then refuses to be asked
    get: () => { try { return localStorage.getItem("amends-times"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("amends-times", value); } catch { /* until the next page */ } },
  };
  let isLocal = kept.get() === "local";
  const tick = () => {
    for (const one of document.querySelectorAll("time[data-age]")) {
      write(one, `${span(nowOf(one) - Number(one.dataset.age))} ago`);
    }
    for (const one of document.querySelectorAll("time[data-due]")) write(one, due(Number(one.dataset.due) - nowOf(one)));
    for (const one of document.querySelectorAll("time[data-at]")) {
      if (one.dateTime) write(one, (isLocal ? local : utc)(Number(one.dataset.at)));
    }
  };
  const times = document.getElementById("times");
  if (times) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = "switch-times";
    const say = () => {
      times.textContent = isLocal ? "Times are those of this browser." : "Times are in UTC.";
      button.textContent = isLocal ? "Show UTC" : "Show local times";
      tick();
    };
    button.addEventListener("click", () => {
      isLocal = !isLocal;
      kept.set(isLocal ? "local" : "utc");
      say();
    });
    times.after(" ", button);
    say();
  }
  document.addEventListener("htmx:after:swap", tick);
  setInterval(tick, 1000);
})();
