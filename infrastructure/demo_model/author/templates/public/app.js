// Fills the tables, sends the forms, and says in words what happened.

const sections = [...document.querySelectorAll("section[data-path]")];

async function call(method, path, body) {
  const response = await fetch(`/api/${path}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (response.ok) return answer;
  const problems = (answer.problems ?? []).map((problem) => problem.message);
  throw new Error([answer.message, ...problems].join(" "));
}

function say(section, text, wrong = false) {
  const message = section.querySelector(".message");
  message.textContent = text;
  message.classList.toggle("wrong", wrong);
}

function valueOf(control) {
  if (control.type === "checkbox") return control.checked;
  if (control.value === "") return null;
  if (control.dataset.number === undefined) return control.value;
  return Number(control.value);
}

function controlsOf(section) {
  return [...section.querySelectorAll("form.edit [name]")];
}

function named(section) {
  const first = controlsOf(section).find((control) => control.type === "text");
  return (first ?? controlsOf(section)[0]).name;
}

function shownAs(control, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (control.dataset.target === undefined) return String(value);
  const option = [...control.options].find((candidate) => candidate.value === String(value));
  return option === undefined ? `number ${value}` : option.textContent;
}

function button(text, description, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = text;
  made.setAttribute("aria-label", `${text} ${description}`);
  made.addEventListener("click", action);
  return made;
}

function edit(section, row) {
  const form = section.querySelector("form.edit");
  form.dataset.id = row.id;
  for (const control of controlsOf(section)) {
    if (control.type === "checkbox") control.checked = row[control.name] === true;
    else control.value = row[control.name] ?? "";
  }
  form.querySelector("button[type=submit]").textContent = "Save changes";
  form.querySelector("button[type=reset]").hidden = false;
  controlsOf(section)[0].focus();
}

function leave(section) {
  const form = section.querySelector("form.edit");
  delete form.dataset.id;
  form.querySelector("button[type=submit]").textContent = "Add";
  form.querySelector("button[type=reset]").hidden = true;
}

async function remove(section, row) {
  if (!window.confirm("Remove this for good?")) return;
  try {
    await call("DELETE", `${section.dataset.path}/${row.id}`);
    await refresh();
    say(section, "Removed.");
  } catch (error) {
    say(section, error.message, true);
  }
}

function draw(section, rows) {
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    for (const control of controlsOf(section)) {
      const cell = document.createElement("td");
      cell.textContent = shownAs(control, row[control.name]);
      line.append(cell);
    }
    const actions = document.createElement("td");
    actions.className = "actions";
    const description = String(row[named(section)] ?? `number ${row.id}`);
    actions.append(
      button("Change", description, () => edit(section, row)),
      " ",
      button("Remove", description, () => remove(section, row)),
    );
    line.append(actions);
    return line;
  });
  section.querySelector("tbody").replaceChildren(...lines);
}

async function fillChoices(section) {
  for (const select of section.querySelectorAll("select[data-target]")) {
    const target = sections.find((other) => other.dataset.path === select.dataset.target);
    const { items } = await call("GET", select.dataset.target);
    const chosen = select.value;
    const options = items.map((row) => new Option(String(row[named(target)] ?? row.id), row.id));
    select.replaceChildren(new Option("Please choose", ""), ...options);
    select.value = chosen;
  }
}

async function load(section) {
  const search = section.querySelector("input[type=search]").value;
  const query = new URLSearchParams({ search });
  const { items } = await call("GET", `${section.dataset.path}?${query}`);
  draw(section, items);
}

async function refresh() {
  for (const section of sections) {
    await fillChoices(section);
    await load(section);
  }
}

for (const section of sections) {
  const form = section.querySelector("form.edit");
  form.addEventListener("reset", () => leave(section));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const pairs = controlsOf(section).map((control) => [control.name, valueOf(control)]);
    const id = form.dataset.id;
    const path = id === undefined ? section.dataset.path : `${section.dataset.path}/${id}`;
    try {
      await call(id === undefined ? "POST" : "PUT", path, Object.fromEntries(pairs));
      form.reset();
      await refresh();
      say(section, "Saved.");
    } catch (error) {
      say(section, error.message, true);
    }
  });
  section.querySelector("input[type=search]").addEventListener("input", () => {
    load(section).catch((error) => say(section, error.message, true));
  });
}

refresh().catch((error) => say(sections[0], error.message, true));
