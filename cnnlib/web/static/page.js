"use strict";

const ROW_LIMIT = 10;
const byId = (id) => document.getElementById(id);
const showMessage = (text) => { byId("message").textContent = text; };
const bodyLimit = Number(document.querySelector("main").dataset.bodyLimit);
const percent = (share) => `${(100 * share).toFixed(share > 0.9 ? 1 : 0)}%`;

/** The token as this tab stores it. Some browsers forbid pages to store anything. */
const storedToken = {
  get: () => { try { return sessionStorage.getItem("token"); } catch { return null; } },
  set: (text) => { try { sessionStorage.setItem("token", text); } catch { /* the page asks again after a reload */ } },
};

let token = storedToken.get();
let pending = 0;

/** The server's response. Throws an error with the server's message, or with ours if the token is missing or wrong. */
async function request(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let response;
  pending += 1;
  byId("waiting").hidden = false;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server can't be reached.");
  } finally {
    pending -= 1;
    byId("waiting").hidden = pending === 0;
  }
  if (response.ok) return response;
  byId("token-form").hidden = response.status !== 401;
  if (response.status === 401) throw new Error(`The server ${token ? "doesn't take this" : "asks for its"} token.`);
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.message || `The server answered ${response.status}.`);
}

/** Read pictures one after the other. A picture that can't be read does not stop the others. */
async function readAll(files) {
  const faults = [];
  showMessage("");
  for (const file of files) {
    try {
      await read(file);
    } catch (error) {
      faults.push(`${file.name || "The picture"}: ${error.message}`);
      showMessage(faults.join("\n"));
    }
  }
}

async function read(file) {
  const form = new FormData();
  form.append("image_file", file, file.name || "pasted");
  if (byId("model").value) form.append("model", byId("model").value);
  const limit = bodyLimit - 1024;  // the rest of the form needs less
  if (file.size > limit) throw new Error(`expected at most ${limit} bytes; it has ${file.size}`);
  await file.arrayBuffer().catch(() => { throw new Error("it can't be read any more"); });
  const start = performance.now();
  const answer = await (await request("/b", { method: "POST", body: form })).json();
  showPrediction(URL.createObjectURL(file), answer, performance.now() - start);
}

/** Show a prediction with a bar for each character, and add it to the table. */
function showPrediction(url, answer, milliseconds) {
  const characters = [...(answer.value ?? "")];
  byId("picture").src = url;
  byId("text").replaceChildren(characters.length ? answer.value : "(nothing)", element("small",
    `${percent(answer.confidence)} sure, read in ${answer["speed_time(ms)"].toFixed(1)} ms, ` +
    `answered in ${milliseconds.toFixed(0)} ms`));
  byId("characters").replaceChildren(...characters.map((character, index) => {
    const share = answer.character_confidences[index];
    const meter = element("meter", percent(share));
    meter.value = share;
    meter.setAttribute("aria-hidden", "true");
    const group = document.createElement("div");
    group.append(element("dt", character), element("dd", meter, element("span", percent(share))));
    return group;
  }));
  byId("announced").textContent = `Read ${answer.value || "nothing"}, ${percent(answer.confidence)} sure`;
  byId("reading").hidden = byId("history").hidden = false;
  addRow(url, answer);
}

function addRow(url, answer) {
  const picture = new Image();
  picture.src = url;
  picture.alt = "";
  const row = element("tr", element("td", picture), element("td", answer.value ?? ""),
    element("td", percent(answer.confidence)), element("td", `${answer["speed_time(ms)"].toFixed(1)} ms`));
  const rows = byId("rows");
  rows.prepend(row);
  while (rows.rows.length > ROW_LIMIT) {
    URL.revokeObjectURL(rows.lastChild.querySelector("img").src);
    rows.lastChild.remove();
  }
}

function element(name, ...content) {
  const node = document.createElement(name);
  node.append(...content);
  return node;
}

async function listModels() {
  try {
    const models = (await (await request("/models")).json()).filter(({ ready }) => ready);
    byId("model").replaceChildren(byId("model").options[0], ...models.map(({ name, width, height }) => {
      const option = element("option", `${name} (${width}×${height})`);
      option.value = name;
      return option;
    }));
    byId("model-choice").hidden = models.length < 2;
  } catch (error) {
    showMessage(error.message);
  }
}

byId("files").addEventListener("change", async (event) => {
  await readAll([...event.target.files]);
  event.target.value = "";
});

byId("fresh").addEventListener("click", async () => {
  showMessage("");
  try {
    const picture = await (await request("/fresh")).blob();
    await readAll([new File([picture], "captcha", { type: picture.type })]);
  } catch (error) {
    showMessage(error.message);
  }
});

byId("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  storedToken.set(token);
  byId("token-form").hidden = true;
  showMessage("");
  await listModels();
});

document.addEventListener("paste", (event) => readAll([...event.clipboardData.files]));

const drop = byId("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") readAll([...event.dataTransfer.files]);
  });
}

listModels();
