"use strict";

const ROW_LIMIT = 100;
const SURE = 0.9;  // confidence, below which a character is doubtful
const GONE = 410;  // status of a picture that the server has deleted
const byId = (id) => document.getElementById(id);
const showMessage = (text) => { byId("message").textContent = text; };
const FORM_BYTES = 1024;  // of a request besides the picture, at most
const bodyLimit = Number(document.querySelector("main").dataset.bodyLimit);
const readingAddress = new URL("b", document.baseURI).href;  // below the path that a proxy gives the page
const percent = (share) => `${(100 * share).toFixed(share > 0.9 ? 1 : 0)}%`;

/** The token as this tab stores it. Some browsers forbid pages to store anything. */
const storedToken = {
  get: () => { try { return sessionStorage.getItem("token"); } catch { return null; } },
  set: (text) => { try { sessionStorage.setItem("token", text); } catch { /* the page asks again after a reload */ } },
};

let token = storedToken.get();
let pending = 0;
let shown;  // the reading that the page shows
const readings = [];  // of this page, the oldest first
const examples = new Map();  // files that the server offers: the model that was trained on each, and its label

function send(path, options = {}) {
  return fetch(path, { ...options, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

/** The server's response. Throws an error with the server's message, or with ours if the token is missing or wrong. */
async function request(path, options) {
  let response;
  pending += 1;
  byId("waiting").hidden = false;
  try {
    response = await send(path, options);
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
  throw Object.assign(new Error(answer.message || `The server answered ${response.status}.`), { status: response.status });
}

/** Read pictures one after the other. A picture that can't be read does not stop the others. */
async function readAll(files) {
  const faults = [];
  showMessage("");
  for (const [index, file] of files.entries()) {
    showProgress(index, files.length);
    try {
      await read(file);
    } catch (error) {
      faults.push(`${file.name || "The picture"}: ${error.message}`);
      showMessage(faults.join("\n"));
    }
  }
  byId("progress").hidden = true;
}

function showProgress(done, all) {
  byId("progress").hidden = all < 2;
  byId("bar").max = all;
  byId("bar").value = done;
  byId("count").textContent = `${done + 1} of ${all}`;
}

async function read(file) {
  const limit = bodyLimit - FORM_BYTES;
  if (file.size > limit) throw new Error(`expected at most ${limit} bytes; it has ${file.size}`);
  await file.arrayBuffer().catch(() => { throw new Error("it can't be read any more"); });
  const start = performance.now();
  const answer = await recognize(file, examples.get(file)?.model ?? byId("model").value);
  const reading = { file, answer, url: URL.createObjectURL(file), milliseconds: performance.now() - start };
  readings.push(reading);
  addRow(reading);
  show(reading);
  byId("announced").textContent = `Read ${answer.value || "nothing"}, ${percent(answer.confidence)} sure`;
}

async function recognize(file, model) {
  const form = new FormData();
  form.append("image_file", file, file.name || "pasted");
  form.append(examples.has(file) ? "save" : "kept", String(!examples.has(file)));
  if (model) form.append("model", model);
  return (await request("b", { method: "POST", body: form })).json();
}

/** Show a reading with a bar for each character, and the field for its right label. */
function show(reading) {
  const { answer, file, url } = reading;
  const characters = [...answer.value];
  shown = reading;
  byId("picture").src = url;
  const example = examples.get(file);
  byId("file").textContent = example ? `An example, labelled ${example.label}` : file.name;
  byId("text").textContent = answer.value || "(nothing)";
  byId("figures").textContent = `${percent(answer.confidence)} sure, ` +
    `read in ${answer["speed_time(ms)"].toFixed(1)} ms, answered in ${reading.milliseconds.toFixed(0)} ms`;
  byId("characters").replaceChildren(
    ...characters.map((character, index) => bar(character, answer.character_confidences[index])));
  byId("copy").hidden = !navigator.clipboard;  // browsers have it over HTTPS and on this machine alone
  byId("label").value = reading.label ?? answer.value;
  byId("correction").hidden = !answer.kept;
  byId("not-kept").hidden = Boolean(answer.kept || example);
  byId("filed").textContent = byId("refused").textContent = "";
  byId("reading").hidden = byId("history").hidden = false;
}

/** Say what was done with the reading, also to a screen reader. */
function say(text) {
  byId("filed").textContent = byId("announced").textContent = text;
}

function bar(character, share) {
  const meter = element("meter", percent(share));
  Object.assign(meter, { low: 0, high: SURE, optimum: 1, value: share });
  meter.setAttribute("aria-hidden", "true");
  const name = element("dt", character);
  name.classList.toggle("doubtful", share < SURE);
  const group = document.createElement("div");
  group.append(name, element("dd", meter, element("span", percent(share))));
  return group;
}

function addRow(reading) {
  const { answer, file, url } = reading;
  const picture = new Image();
  picture.src = url;
  picture.alt = `Show ${file.name}`;
  const button = element("button", picture);
  button.type = "button";
  button.addEventListener("click", () => show(reading));
  reading.cell = element("td", answer.value);
  const row = element("tr", element("td", button), element("td", file.name), reading.cell,
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

/** File the picture of a reading under a label. One that the server has deleted meanwhile is sent once more. */
async function fileUnder(label, reading) {
  const post = async () => {
    const body = JSON.stringify({ kept: reading.answer.kept, label });
    return (await request("label", { method: "POST", body })).json();
  };
  try {
    return await post();
  } catch (error) {
    if (error.status !== GONE) throw error;
    const model = reading.answer.kept.split("/")[0];
    reading.answer.kept = (await recognize(reading.file, model)).kept;
    return post();
  }
}

/** A cell of a CSV file: quoted, and with a guard where a spreadsheet would compute it. */
function csvCell(text) {
  const guarded = /^\s*[=+\-@|%＝＋－＠]/.test(text) ? `'${text}` : text;
  return `"${guarded.replaceAll('"', '""')}"`;
}

function csv() {
  const rows = readings.map(({ file, answer, label }) =>
    [file.name, answer.value, answer.confidence.toFixed(6), label ?? ""].map(csvCell).join(","));
  return `\ufeff${["file,reading,confidence,label", ...rows].join("\r\n")}\r\n`;
}

async function start() {
  try {
    const models = (await (await request("models")).json()).filter(({ ready }) => ready);
    listModels(models);
    await offerExamples(models);
    byId("fresh").hidden = !(await send("fresh").then(({ ok }) => ok, () => false));
  } catch (error) {
    showMessage(error.message);
  }
}

function listModels(models) {
  byId("model").replaceChildren(byId("model").options[0], ...models.map(({ name, width, height }) => {
    const option = element("option", `${name} (${width}×${height})`);
    option.value = name;
    return option;
  }));
  byId("model-choice").hidden = models.length < 2;
  byId("models").replaceChildren(...models.flatMap((model) => [element("dt", model.name), element("dd", about(model))]));
  const header = token ? '-H "Authorization: Bearer $CAPTCHA_API_TOKEN" ' : "";
  const headers = token ? ',\n        headers={"Authorization": f"Bearer {os.environ[\'CAPTCHA_API_TOKEN\']}"}' : "";
  byId("curl").textContent = `curl ${header}-F image_file=@captcha.png ${readingAddress}`;
  byId("python").textContent = `${token ? "import os\n\n" : ""}import requests

with open("captcha.png", "rb") as picture:
    answer = requests.post(
        "${readingAddress}", files={"image_file": picture}${headers}
    )
print(answer.json()["value"])`;
  byId("about").hidden = models.length === 0;
}

/** Show the pictures that the server offers, of each model. One that can't be had is left out. */
async function offerExamples(models) {
  const places = models.flatMap(({ name, examples: count }) => Array.from({ length: count }, (_, number) => [name, number]));
  const files = await Promise.all(places.map(([name, number]) => fetchExample(name, number)));
  const buttons = files.filter(Boolean).map((file) => {
    const picture = new Image();
    picture.src = URL.createObjectURL(file);
    picture.alt = `Read ${file.name}`;
    const button = element("button", picture);
    button.type = "button";
    button.addEventListener("click", () => readAll([file]));
    return button;
  });
  byId("examples").replaceChildren(byId("examples").firstElementChild, ...buttons);
  byId("examples").hidden = buttons.length === 0;
}

async function fetchExample(model, number) {
  try {
    const response = await send(`examples/${encodeURIComponent(model)}/${number}`);
    const picture = response.ok && await response.blob();
    if (!picture || picture.size > bodyLimit - FORM_BYTES) return null;
    const file = new File([picture], `example ${number + 1}`, { type: picture.type });
    examples.set(file, { model, label: decodeURIComponent(response.headers.get("X-Captcha-Label")) });
    return file;
  } catch {
    return null;
  }
}

function about({ characters, width, height, resize, min_length, max_length, picture_accuracy, verification_pictures }) {
  const lengths = min_length < max_length ? `${min_length} to ${max_length}` : max_length;
  const size = resize ? "any size" : `${width}×${height} pixels`;
  return `${lengths} of the characters ${characters}, on pictures of ${size}. It read ${percent(picture_accuracy)} ` +
    `of ${verification_pictures} pictures right that it was verified on.`;
}

byId("files").addEventListener("change", async (event) => {
  await readAll([...event.target.files]);
  event.target.value = "";
});

byId("fresh").addEventListener("click", async () => {
  showMessage("");
  try {
    const picture = await (await request("fresh")).blob();
    await readAll([new File([picture], "captcha", { type: picture.type })]);
  } catch (error) {
    showMessage(error.message);
  }
});

byId("copy").addEventListener("click", () => navigator.clipboard.writeText(shown.label ?? shown.answer.value).then(
  () => say("Copied."),
  () => { byId("refused").textContent = "The browser does not let this page copy."; }));

byId("correction").addEventListener("submit", async (event) => {
  event.preventDefault();
  const reading = shown;
  byId("filed").textContent = byId("refused").textContent = "";
  try {
    const { label, file } = await fileUnder(byId("label").value, reading);
    reading.label = label;
    reading.cell.textContent = label;
    if (shown === reading) say(`Filed as ${file}, for the next training.`);
  } catch (error) {
    if (shown === reading) byId("refused").textContent = error.message;
  }
});

byId("table").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "readings.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});

byId("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  storedToken.set(token);
  byId("token-form").hidden = true;
  showMessage("");
  await start();
});

/** Read the pictures that were dropped or pasted. A link or a text is no picture, and is told so. */
function receive(transfer) {
  const files = [...transfer.files];
  if (files.length || !transfer.types.length) return readAll(files);
  return showMessage("Only pictures can be read, not links or texts. Save the picture first, or copy the picture itself.");
}

document.addEventListener("paste", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input");
  if (!typing || event.clipboardData.files.length) receive(event.clipboardData);
});

const drop = byId("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") receive(event.dataTransfer);
  });
}

start();
