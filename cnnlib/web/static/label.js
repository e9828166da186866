"use strict";

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share > 0.9 ? 1 : 0)}%`;

/** A text that this tab stores. Some browsers forbid pages to store anything. */
const stored = {
  get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
  set: (key, text) => { try { sessionStorage.setItem(key, text); } catch { /* it is asked for again */ } },
};

let token = stored.get("token");
let tab = "";            // the name of this tab

let question = null;     // as the server asked it
let cells = [];          // {character, doubtful} of the label as it stands
let place = 0;           // of the cursor, from 0 to the number of cells
let shownAt = 0;         // when the question was shown, in milliseconds
let sure = "";           // what the server doubted, and what counts when it is sent again
let busy = true;         // until the tab has its name, and while the server is asked
let composing = "";      // what an input method composes: it is shown, and not written yet
let picture = "coming";  // or "shown", or "failed": whether the picture of the question is on the screen
let changedAt = 0;       // when the page changed last, in milliseconds
const noteChange = () => { changedAt = performance.now(); };
const pictureIs = (state) => {
  picture = state;
  byId("picture").setAttribute("aria-busy", String(state === "coming"));
  noteChange();
};

/** Claim a name for this tab, until it is closed. Returns whether no other tab has it, as far as the browser tells. */
function claim(name) {
  return new Promise((resolve) => {
    if (!navigator.locks) { resolve(true); return; }  // as under an address without HTTPS
    navigator.locks.request(`tab ${name}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise((release) => addEventListener("pagehide", release, { once: true }));
    }).catch(() => resolve(true));
  });
}

/** Give this tab the name that it had before, or a new one. A tab that was duplicated got the other one's. */
async function nameTab() {
  const newName = () => crypto.randomUUID?.() || String(Math.random());
  const name = stored.get("tab") || newName();
  tab = await claim(name) ? name : newName();
  if (tab !== name) claim(tab);
  stored.set("tab", tab);
}

async function request(path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server can't be reached. Nothing is lost: what was accepted is saved.");
  }
  byId("token-form").hidden = response.status !== 401;
  if (response.ok) return response;
  if (response.status === 401) {
    throw Object.assign(new Error(`The server ${token ? "doesn't take this" : "asks for its"} token.`), { status: 401 });
  }
  const answer = await response.json().catch(() => ({}));
  const message = answer.message || `The server answered ${response.status}.`;
  throw Object.assign(new Error(message), { code: answer.error_code, status: response.status });
}

const showMessage = (text) => { byId("message").textContent = text; };

/** Show one of the sections, or none. */
function showOnly(name) {
  for (const section of ["work", "sheet", "end"]) byId(section).hidden = section !== name;
}

const BEHIND = new Set(["2001", "2005"]);  // the server is elsewhere: something was said already, or pictures changed

/** Send what was said about the picture, and show the next one. One at a time. */
async function send(path, more = {}) {
  if (busy) return;
  busy = true;
  const said = `${path} ${more.text ?? ""}`;
  try {
    const { number, name } = question ?? {};
    const body = { tab, number, name, seconds: (performance.now() - shownAt) / 1000, sure: said === sure, ...more };
    show(await (await request(path, body)).json());
  } catch (error) {
    if (BEHIND.has(error.code)) await begin();
    sure = error.code === "2002" ? said : "";
    showMessage(error.message);
  } finally {
    busy = false;
    noteChange();
  }
}

async function begin() {
  byId("waiting").hidden = !byId("work").hidden || !byId("end").hidden;
  try {
    show(await (await request(`/question?tab=${encodeURIComponent(tab)}`)).json());
  } catch (error) {
    showMessage(error.message);
    showOnly(question ? "work" : "");
  } finally {
    byId("waiting").hidden = true;
  }
}

function show({ question: asked, progress }) {
  question = asked;
  sure = composing = byId("typing").value = "";
  showProgress(progress);
  showMessage("");
  showOnly(asked ? "work" : "end");
  if (!asked) { showEnd(progress); return; }
  const known = asked.said ?? asked.label;
  cells = [...(known ?? asked.text)].map((character, index) => ({ character, doubtful: asked.doubtful[index] }));
  place = known === null ? asked.least : Math.max(0, cells.findIndex(({ doubtful }) => doubtful));
  byId("take").hidden = byId("take-key").hidden = asked.label === null;
  showPicture(asked.number);
  byId("about").textContent = `${aboutOf(asked)} · ${asked.name}`;
  draw();
  shownAt = performance.now();
  byId("typing").focus({ preventScroll: true });
}

/** Nothing is left, or others show what is: then it is asked for again. */
const END_TEXT = byId("end-text").textContent;
const ASK_AGAIN_MS = 5000;
let askAgainTimer = null;

function showEnd({ left, done, unreadable }) {
  clearTimeout(askAgainTimer);
  byId("end-text").textContent = done === 0 && left === 0 && unreadable > 0 ? "None of these pictures can be opened." : END_TEXT;
  if (left === 0) return;
  const pictures = left === 1 ? "The last picture is" : `The last ${left} pictures are`;
  byId("end-text").textContent = `${pictures} open in another tab. What is not answered there comes here after two minutes.`;
  askAgainTimer = setTimeout(() => { if (!byId("end").hidden && !busy) begin(); }, ASK_AGAIN_MS);
}

function aboutOf({ said, label, text, confidence }) {
  if (label !== null) return `labelled ${label}, read as ${text}, ${percent(confidence)} sure`;
  return said === null ? `${percent(confidence)} sure` : "as you wrote it";
}

/** In a second look: the reading is right, not the label. */
function takeReading() {
  if (question.label === null) return;
  cells = [...question.text].map((character) => ({ character, doubtful: false }));
  accept();
}

/** The picture comes by a request of its own, since an image can't send the token. Until then nothing is accepted. */
async function showPicture(number) {
  const image = byId("picture");
  pictureIs("coming");
  URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  try {
    const blob = await (await request(`/picture/${number}`)).blob();
    if (question?.number !== number) return;
    image.src = URL.createObjectURL(blob);
    await image.decode().catch(() => { throw new Error("The browser can't show this picture."); });
    if (question?.number !== number) return;
    pictureIs("shown");
    shownAt = performance.now();
  } catch (error) {
    if (question?.number !== number) return;
    pictureIs("failed");
    showMessage(`${error.message} Enter tries again, Esc sets it aside.`);
  }
}

/** The sheet of the surest pictures, sorted by what is read. A marked one is wrong. */
let sheet = [];
let sheetShownAt = 0;
const inGrid = () => byId("grid").getAttribute("aria-pressed") === "true";

async function beginGrid() {
  await sendGrid(`/grid?tab=${encodeURIComponent(tab)}`);
}

async function acceptAll() {
  const right = sheet.filter(({ wrong }) => !wrong);
  const seconds = (performance.now() - sheetShownAt) / 1000;
  const pictures = right.map(({ number, name, text, confidence, model }) =>
    ({ number, name, text, reading: text, confidence, model }));
  if (sheet.length === 0) return;
  if (sheet.some((asked) => !asked.shown)) { showMessage("Some pictures are still to come."); return; }
  const wrong = sheet.filter((asked) => asked.wrong).map(({ number, name }) => ({ number, name }));
  await sendGrid("/accept", { tab, seconds, pictures, wrong });
}

async function sendGrid(path, body) {
  if (busy) return;
  busy = true;
  showMessage("");
  byId("waiting").hidden = false;
  try {
    const { questions, progress, message } = await (await request(path, body)).json();
    showProgress(progress);
    showSheet(questions, progress);
    showMessage(message);
  } catch (error) {
    if (error.code === "2005") await leaveGrid();
    showMessage(error.message);
    if (inGrid() && byId("sheet").hidden && byId("end").hidden) { pressView(false); showOnly(question ? "work" : ""); }
  } finally {
    busy = false;
    noteChange();
    byId("waiting").hidden = true;
  }
  if (inGrid() && byId("sheet").hidden && byId("end").hidden) await leaveGrid();
}

/** What is left comes one by one. */
async function leaveGrid() {
  pressView(false);
  await begin();
}

const undoPage = () => sendGrid("/undo-page", { tab });

/** Show a page of the grid. Where none is left, but pictures are, nothing is shown. */
function showSheet(questions, progress) {
  sheet = questions.map((asked) => ({ ...asked, wrong: false, shown: false }));
  question = null;
  showOnly(sheet.length ? "sheet" : progress.left ? "" : "end");
  if (!byId("end").hidden) showEnd(progress);
  byId("tiles").replaceChildren(...sheet.map(tileOf));
  sheetShownAt = performance.now();
  byId("tiles").firstChild?.focus();
}

function tileOf(asked) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.setAttribute("role", "checkbox");
  tile.setAttribute("aria-checked", "false");
  tile.setAttribute("aria-label", `${[...asked.text].join(" ")}, wrong`);
  const image = document.createElement("img");
  image.alt = "";
  const text = document.createElement("span");
  text.textContent = asked.text;
  tile.append(image, text);
  tile.addEventListener("click", () => {
    asked.wrong = !asked.wrong;
    tile.setAttribute("aria-checked", String(asked.wrong));
  });
  request(`/picture/${asked.number}`).then((response) => response.blob())
    .then((blob) => { image.src = URL.createObjectURL(blob); return image.decode(); })
    .catch(() => {  // it comes one by one, where it can be set aside
      image.alt = "can't be shown";
      asked.wrong = true;
      tile.setAttribute("aria-checked", "true");
    })
    .finally(() => { asked.shown = true; noteChange(); });
  return tile;
}

/** Move the focus by some tiles: up and down by as many as a row has. */
function moveFocus(key) {
  const tiles = [...byId("tiles").children];
  const row = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[key];
  tiles[Math.min(tiles.length - 1, Math.max(0, tiles.indexOf(document.activeElement) + step))].focus();
}

function pressView(grid) {
  byId("grid").setAttribute("aria-pressed", String(grid));
  byId("one").setAttribute("aria-pressed", String(!grid));
}

async function setView(grid) {
  if (busy) return;
  pressView(grid);
  showOnly("");
  await (grid ? beginGrid() : begin());
}

function showProgress(progress) {
  const total = progress.done + progress.aside + progress.left;
  const pace = progress.a_minute ? `, ${progress.a_minute.toFixed(0)} a minute` : "";
  const right = progress.right
    ? `, ${percent(progress.right[0])} read right (${percent(progress.right[1])} to ${percent(progress.right[2])})` : "";
  const again = progress.again ? `, ${progress.differed} of ${progress.again} differed when asked again` : "";
  const doubles = progress.doubles ? `, ${progress.doubles} left out, the same as others` : "";
  byId("unreadable").hidden = progress.unreadable === 0;
  byId("unreadable-count").textContent = `${progress.unreadable} can't be opened`;
  byId("count").textContent = `${progress.done} of ${total}${pace}${right}${again}${doubles}`;
  byId("bar").value = total ? (progress.done + progress.aside) / total : 0;
  const [least, most] = progress.lengths ?? [0, 0];
  byId("known").textContent = progress.lengths
    ? `so far ${progress.alphabet}, length ${least === most ? least : `${least} to ${most}`}` : "";
}

/** The names of the pictures that can't be opened, when somebody wants to see them. */
async function listUnreadable() {
  if (!byId("unreadable").open) return;
  try {
    const pictures = await (await request("/unreadable")).json();
    byId("unreadable-names").replaceChildren(...pictures.map(({ name, reason }) => {
      const line = document.createElement("li");
      line.textContent = `${name}: ${reason}`;
      return line;
    }));
  } catch (error) {
    showMessage(error.message);
  }
}

/** The training on these labels: whether one can be started, how far it is, and how it ended. */
const ROUND_MS = 3000;
let roundTimer = null;

function showRoundLater() {
  clearTimeout(roundTimer);
  roundTimer = setTimeout(showRound, ROUND_MS);
}

async function showRound(body) {
  clearTimeout(roundTimer);
  try {
    const { can_train: can, state } = await (await request("/round", body)).json();
    byId("round").hidden = !can;
    byId("train").disabled = Boolean(state?.running);
    byId("round-state").textContent = state ? spoken(state) : "";
    drawCurve(state?.curve ?? []);
    if (state?.running) showRoundLater();
  } catch (error) {
    byId(byId("round").hidden ? "message" : "round-state").textContent = error.message;
    const isRefused = error.status === 401 || (body && error.code);  // else the server may be there again soon
    if (!isRefused || byId("train").disabled) showRoundLater();
  }
}

function spoken({ running, step, steps, curve, said, fault }) {
  if (!running) return fault || said;
  if (!step) return "The training begins";
  return `step ${step} of ${steps}, ${percent(curve.at(-1) ?? 0)} of some verification pictures`;
}

function drawCurve(curve) {
  const points = curve.map((share, index) => `${(100 * index) / Math.max(1, curve.length - 1)},${24 - 23 * share}`);
  byId("line").setAttribute("points", points.join(" "));
  byId("curve").toggleAttribute("hidden", curve.length < 2);
}

/** The cells with a text written into them, and the place behind it. */
function written(text) {
  const characters = [...text.normalize("NFC")];
  const whole = [...cells];
  for (const [index, character] of characters.entries()) whole[place + index] = { character, doubtful: false };
  return { whole, behind: place + characters.length };
}

const textOf = (some) => some.map(({ character }) => character).join("");

function draw() {
  const { whole, behind } = written(composing);
  byId("cells").replaceChildren(...[...whole, null].map((cell, index) => {
    const box = document.createElement("span");
    const isComposing = index >= place && index < behind;
    box.className =
      `cell${cell?.doubtful ? " doubtful" : ""}${isComposing ? " composing" : ""}${index === behind ? " here" : ""}`;
    box.textContent = cell ? cell.character : " ";
    box.hidden = !cell && index !== behind;
    box.addEventListener("click", () => { place = index; draw(); byId("typing").focus(); });
    return box;
  }));
  byId("cells").setAttribute("aria-label", `Label ${whole.map(({ character }) => character).join(" ")}`);
}

function write(text) {
  ({ whole: cells, behind: place } = written(text));
  composing = byId("typing").value = "";
  draw();
}

/** Write what is being composed. Returns whether the whole label was on the screen as it is now. */
function commit() {
  const shown = textOf(written(composing).whole);
  if (composing || byId("typing").value) write(byId("typing").value);
  return textOf(cells) === shown;
}

/** So that what is typed goes into the label. */
function focusTyping() {
  if (question && !inGrid()) byId("typing").focus({ preventScroll: true });
}

/** Move to the next doubtful character in a direction. Returns whether there is one: else the focus moves on. */
function nextDoubtful(step) {
  let index = place + step;
  while (cells[index] && !cells[index].doubtful) index += step;
  if (!cells[index]) return false;
  place = index;
  draw();
  focusTyping();
  return true;
}

function accept() {
  if (!question || !commit()) return;
  if (picture === "failed") { showMessage(""); showPicture(question.number); }
  if (picture !== "shown") return;
  const text = textOf(cells);
  const { text: reading, confidence, model } = question;
  send("/label", { text, reading, confidence, model });
}

const keys = {
  Enter: accept,
  Escape: () => send("/aside"),
  ArrowDown: takeReading,
  ArrowLeft: () => { place = Math.max(0, place - 1); draw(); },
  ArrowRight: () => { place = Math.min(cells.length, place + 1); draw(); },
  Home: () => { place = 0; draw(); },
  End: () => { place = cells.length; draw(); },
  Backspace: () => { if (place > 0) { cells.splice(place - 1, 1); place -= 1; draw(); } },
  Delete: () => { cells.splice(place, 1); draw(); },
  Insert: () => { cells.splice(place, 0, { character: " ", doubtful: true }); draw(); },
};

const ONCE = new Set(["Enter", "Escape", "ArrowDown"]);  // a key that is held says nothing about pictures unseen

const isUndo = (event) => (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
const isField = (element) => element.id === "token";
const isControl = (element) => element.closest("button, summary") !== null;
/** Whether a key writes something, maybe by an input method: the label takes it, wherever the focus is. */
const isWriting = ({ key }) => [...key].length === 1 || key === "Dead" || key === "Process";

document.addEventListener("keydown", (event) => {
  if (!inGrid() || isField(event.target)) return;
  if (isUndo(event)) { event.preventDefault(); if (!event.repeat) undoPage(); return; }
  if (byId("sheet").hidden) return;
  if (event.key.startsWith("Arrow")) { event.preventDefault(); moveFocus(event.key); }
  if (event.key === "Enter" && event.target.closest("header, .buttons") === null) {
    event.preventDefault();
    if (!event.repeat) acceptAll();  // a key that is held accepts nothing unseen
  }
});

document.addEventListener("keydown", (event) => {
  if (inGrid() || event.isComposing || isField(event.target)) return;
  if (isUndo(event)) { event.preventDefault(); send("/undo"); return; }
  if (!question) return;
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
  if (isControl(event.target) && (event.key === " " || !isWriting(event))) return;
  if (isWriting(event)) { focusTyping(); return; }  // before the browser writes it there
  if (event.key === "Tab") { if (nextDoubtful(event.shiftKey ? -1 : 1)) event.preventDefault(); return; }
  if (!keys[event.key]) return;
  event.preventDefault();
  if (!busy && !(event.repeat && ONCE.has(event.key))) keys[event.key]();
});

byId("typing").addEventListener("input", (event) => {  // characters, also those that an input method composes
  if (busy) { if (!event.isComposing) event.target.value = ""; return; }
  if (!event.isComposing) { write(event.target.value); return; }
  composing = event.target.value;
  draw();
});
byId("typing").addEventListener("compositionend", (event) => { write(busy ? "" : event.target.value); });
byId("cells").addEventListener("focus", focusTyping);
document.addEventListener("mousedown", (event) => {  // a button leaves the focus, and what is composed, where it is
  if (question && !inGrid() && event.target.closest("button") && !isField(document.activeElement)) event.preventDefault();
});
document.addEventListener("click", (event) => {
  if (isField(event.target) || isControl(event.target) || event.target.closest("label")) return;
  if (getSelection().isCollapsed) focusTyping();
});
const UNSEEN_MS = 300;  // in which nobody has seen what is new on the page

/** Do something at a click, but not at the second one of a double click or tap: that is about a picture unseen. */
function onClick(id, act) {
  byId(id).addEventListener("click", ({ detail, pointerType }) => {
    const isTap = detail === 1 && pointerType !== "mouse";  // a browser may count each tap as the first
    if (detail > 1 || (isTap && performance.now() - changedAt < UNSEEN_MS)) return;
    act();
  });
}
onClick("accept", accept);
onClick("take", takeReading);
onClick("aside", () => send("/aside"));
onClick("accept-all", acceptAll);
byId("undo").addEventListener("click", () => send("/undo"));
byId("undo-last").addEventListener("click", () => { if (inGrid()) undoPage(); else send("/undo"); });
byId("undo-page").addEventListener("click", undoPage);
byId("train").addEventListener("click", () => showRound({}));
byId("unreadable").addEventListener("toggle", listUnreadable);
byId("one").addEventListener("click", () => setView(false));
byId("grid").addEventListener("click", () => setView(true));
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  stored.set("token", token);
  byId("token-form").hidden = true;
  showMessage("");
  setView(inGrid());
  showRound();
});

/** A page that is closed gives back what it shows. One that comes back from the browser's memory asks anew. */
addEventListener("pagehide", () => {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  fetch("/leave", { method: "POST", body: JSON.stringify({ tab }), headers, keepalive: true }).catch(() => {});
});
addEventListener("pageshow", (event) => { if (event.persisted) nameTab().then(() => setView(inGrid())); });

nameTab().then(() => { busy = false; begin(); });
showRound();
