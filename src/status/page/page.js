"use strict";
fetch("/api/state").then((answer) => answer.json()).then((state) => {
  for (const [topic, payload] of Object.entries(state.topics)) {
    if (!topic.endsWith("/health")) continue;
    const row = document.querySelector("tbody").insertRow();
    row.insertCell().textContent = payload.id;
    row.insertCell().textContent = payload.health;
  }
});
