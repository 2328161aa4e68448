"use strict";

const [form, query, variables, answer, note, key] =
  ["ask", "query", "variables", "answer", "status", "key"].map((id) => document.getElementById(id));

function say(text, failed) {
  note.textContent = text;
  note.classList.toggle("failed", failed);
}

// Of this tab alone, and gone with it. A browser may forbid even that; then the key is typed again.
function kept() {
  try {
    return sessionStorage.getItem("key") || "";
  } catch {
    return "";
  }
}

function keep(text) {
  try {
    sessionStorage.setItem("key", text);
  } catch { /* see above */ }
}

async function ask() {
  let given = null;
  try {
    given = variables.value.trim() ? JSON.parse(variables.value) : null;
  } catch (error) {
    say(`The variables are not JSON: ${error.message}`, true);
    return;
  }
  say("Asking …", false);
  const begun = performance.now();
  const headers = { "Content-Type": "application/json" };
  if (key.value.trim()) {
    headers.Authorization = `Bearer ${key.value.trim()}`;
  }
  try {
    const response = await fetch(location.pathname, {
      method: "POST",
      headers,
      body: JSON.stringify({ query: query.value, variables: given }),
    });
    const text = await response.text();
    const milliseconds = Math.round(performance.now() - begun);
    const said = JSON.parse(text);
    // Numbers beyond 2^53 would change in JavaScript, so what is short is laid out and what has them is not.
    answer.textContent = /\d{16}/.test(text) ? text : JSON.stringify(said, null, 2);
    const errors = said.errors ? said.errors.length : 0;
    say(`${errors ? `${errors} error(s)` : response.ok ? "Answered" : said.title} in ${milliseconds} ms`,
      errors > 0 || !response.ok);
    if (response.status === 401) {
      key.focus();
    }
  } catch (error) {
    answer.textContent = "";
    say(`There is no answer: ${error.message}`, true);
  }
}

key.value = kept();
key.addEventListener("input", () => keep(key.value.trim()));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    ask();
  }
});

for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => {
    query.value = button.dataset.query;
    variables.value = button.dataset.variables;
    query.focus();
  });
}
