// The inbox: what is open, what is chosen, and what is done with it, by mouse and by keys.
import { beside, choose, chooseAll, drawSoon, list, placeOf, refresh, show, tagsOf, whenChanged } from "./list.js";
import { VIEWS, showLetter, showTags } from "./letter.js";
import { announce, follow, mark, offerNotices } from "./news.js";
import { apiTable, howToSend, keyTable, lettersWork, searchWords } from "./samples.js";
import { $, attempt, change, json, plain, question, say } from "./tools.js";

let label = "", opened = null;

/* ---- What the page shows ---- */

const count = (number) => (number === 1 ? "1 message" : `${number} messages`);

function tidy() {
  const chosen = list.chosen.size;
  $("all").checked = chosen > 0 && chosen >= list.total;
  $("all").indeterminate = chosen > 0 && chosen < list.total;
  $("chosen").textContent = chosen > 0 ? `${chosen} chosen` : list.query ? `${list.total} found` : count(list.total);
  for (const button of document.querySelectorAll("[data-act]")) button.disabled = button.dataset.act === "clear" ? list.total === 0 : chosen === 0;
  document.querySelector("[data-act=clear]").textContent = list.query ? "Delete found" : "Delete all";
  $("unread").textContent = list.unread > 0 ? `${list.unread} unread` : "";
  mark(list.unread, label, opened ? plain(opened.Subject) : "");
  if (opened) showTags(tagsOf(opened.ID), (tag) => tagAll([opened.ID], (tags) => tags.filter((own) => own !== tag)));
  if (!list.open && list.loaded) nothingOpen();
}

function nothingOpen() {
  const state = list.all === 0 ? "none" : list.total === 0 ? "found" : "some";
  if ($("letter").dataset.state === state) return;
  $("letter").dataset.state = state;
  $("window").classList.toggle("bare", state !== "some");
  const blank = document.createElement("div");
  blank.className = "empty";
  if (state === "found") blank.append(Object.assign(document.createElement("h2"), { textContent: "Nothing was found" }), ...searchWords());
  if (state === "some") blank.append(Object.assign(document.createElement("p"), { textContent: "Choose a message, or press j." }));
  $("letter").replaceChildren(state === "none" ? howToSend() : blank);
}

/** The page's address says what is open: `#/`, `#/message/ID`, and `?q=` for a search. */
async function route() {
  const [, path, query] = /^#?([^?]*)(?:\?q=(.*))?$/.exec(location.hash) ?? [];
  const id = /^\/message\/(\d+|latest)$/.exec(path ?? "")?.[1] ?? null;
  if (query !== undefined) await search(decodeURIComponent(query));
  if (id === list.open && id) return;
  list.open = id;
  opened = null;
  document.body.classList.toggle("reading", id !== null);
  delete $("letter").dataset.state;
  drawSoon();
  if (!id) {
    tidy();
    return;
  }
  const message = await showLetter(id, {
    previous: () => step(-1), next: () => step(1), tag: () => tag([list.open]), remove: () => remove([list.open]),
    unread: () => setRead([list.open], false),
  });
  if (list.open !== id) return;
  if (message && id === "latest") {
    list.open = message.ID;
    history.replaceState(null, "", `#/message/${message.ID}`);
  }
  opened = message;
  list.openTags = message?.Tags ?? [];
  show(list.open);
  drawSoon();
  tidy();
  $("letter").scrollTop = 0;
  if (document.body.classList.contains("reading") && matchMedia("(max-width: 50rem)").matches) $("letter").focus();
}

async function search(query) {
  if ($("query").value !== query && document.activeElement !== $("query")) $("query").value = query;
  const wanted = query.trim();
  if (wanted === list.query && list.loaded) return;
  const before = list.query;
  list.query = wanted;
  list.chosen.clear();
  $("window").scrollTop = 0;
  delete $("letter").dataset.state;
  try {
    await refresh();
    wrong("");
  } catch (error) {
    list.query = before;
    wrong(error.message);
  }
}

function wrong(text) {
  $("wrong").textContent = text;
  $("wrong").hidden = text === "";
  $("query").setAttribute("aria-invalid", String(text !== ""));
}

/* ---- What is done with messages ---- */

const step = (by) => attempt(async () => {
  const next = await beside(list.open, list.open ? by : 0);
  if (next) location.hash = `#/message/${next.ID}`;
  else say(by > 0 ? "This is the last one." : "This is the first one.");
});

const setRead = (ids, isRead) => attempt(async () => {
  await change("PUT", "/api/v1/messages", { IDs: ids, Read: isRead });
  say(`${count(ids.length)} marked as ${isRead ? "read" : "unread"}.`);
});

const tagAll = (ids, of) => attempt(async () => {
  for (const id of ids) await change("PUT", "/api/v1/tags", { IDs: [id], Tags: of(tagsOf(id)) });
});

async function tag(ids) {
  const wanted = await question(`Tag ${count(ids.length)}`, "Tag", "Tag: letters, digits, hyphens and dots; IMAP shows it as a keyword");
  if (wanted) await tagAll(ids, (tags) => [...new Set([...tags, wanted])]);
}

async function remove(ids) {
  if (ids.length > 1 && !await question(`Delete ${count(ids.length)}?`, "Delete")) return;
  const isOpen = ids.includes(list.open);
  // What comes after takes its place, or what was before.
  const next = isOpen ? (await beside(list.open, 1) ?? await beside(list.open, -1)) : null;
  await attempt(async () => {
    await change("DELETE", "/api/v1/messages", { IDs: ids });
    say(`${count(ids.length)} deleted.`);
    for (const id of ids) list.chosen.delete(id);
    if (isOpen) location.hash = next && !ids.includes(next.ID) ? `#/message/${next.ID}` : "#/";
  });
}

async function clear() {
  if (!await question(`Delete ${list.query ? `the ${count(list.total)} that ${list.total === 1 ? "was" : "were"} found` : `all ${count(list.total)}`}?`, "Delete")) return;
  await attempt(async () => {
    if (list.query) await change("DELETE", `/api/v1/search?query=${encodeURIComponent(list.query)}`);
    else await change("DELETE", "/api/v1/messages");
    list.chosen.clear();
    location.hash = "#/";
  });
}

async function reset() {
  if (!await question("Reset? All mail and all faults go.", "Reset")) return;
  await attempt(async () => {
    const { removed } = await json("/api/reset", { method: "POST" });
    list.chosen.clear();
    location.hash = "#/";
    say(`Reset: ${count(removed)} deleted, no faults.`);
  });
}

const acts = {
  read: (ids) => setRead(ids, true), unread: (ids) => setRead(ids, false), tag, delete: remove, clear,
};

/* ---- Mouse and keys ---- */

$("list").addEventListener("click", (event) => {
  const id = event.target.closest("li")?.dataset.id;
  if (event.target.type === "checkbox") choose(id, event.target.checked, event.shiftKey && list.last !== null);
});
$("window").addEventListener("scroll", drawSoon, { passive: true });
addEventListener("resize", drawSoon);
$("all").onchange = () => attempt(() => chooseAll($("all").checked));
for (const button of document.querySelectorAll("[data-act]")) button.onclick = () => acts[button.dataset.act]([...list.chosen.keys()]);
$("reset").onclick = reset;
const keys = () => question("Keys", "", undefined, keyTable());
$("keys").onclick = keys;
$("api").onclick = () => question("The API", "", undefined, apiTable());
$("words").append(...searchWords());
$("explain").onclick = () => {
  $("words").hidden = !$("words").hidden;
  $("explain").setAttribute("aria-expanded", String(!$("words").hidden));
};

let typing = 0;
const typed = () => {
  clearTimeout(typing);
  const query = $("query").value.trim();
  history.replaceState(null, "", query ? `#${list.open ? `/message/${list.open}` : "/"}?q=${encodeURIComponent(query)}` : `#${list.open ? `/message/${list.open}` : "/"}`);
  attempt(() => search(query));
};
$("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(typed, 300);
});
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  typed();
});

const target = () => (list.chosen.size > 0 ? [...list.chosen.keys()] : list.open ? [list.open] : []);
const on = (act) => () => target().length > 0 && act(target());
const LETTERS = {
  j: () => step(1), k: () => step(-1), x: () => list.open && choose(list.open, !list.chosen.has(list.open), false),
  X: () => list.open && choose(list.open, true, list.last !== null), "#": on(remove), u: on(acts.unread), r: on(acts.read), t: on(tag),
  "/": () => $("query").focus(), "?": keys,
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("ask").open) return;
  const isField = event.target.matches?.("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape") {
    if (isField) event.target.blur();
    else if (list.open) location.hash = "#/";
    else if (list.query) {
      $("query").value = "";
      typed();
    }
    return;
  }
  if (isField) return;
  if (event.key === "Enter" && !list.open && event.target === document.body) step(1);
  if (!lettersWork()) return;
  const view = /^[1-9]$/.test(event.key) && VIEWS[event.key - 1];
  const act = view ? () => $(`tab-${view.replace(" ", "-")}`)?.click() : LETTERS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

/* ---- Begin ---- */

whenChanged(tidy);
addEventListener("hashchange", () => attempt(route));
offerNotices();
attempt(async () => {
  label = (await json("/api/v1/webui")).Label ?? "";
  $("label").textContent = label;
  tidy();
});
// From the first such question on the server keeps what is said, which the view Protocol shows.
fetch("/api/sessions?limit=1").catch(() => {});
await attempt(route);
if (!list.loaded) await attempt(refresh);
if (list.open) show(list.open);
follow({
  refresh,
  isSearch: () => list.query !== "",
  arrived: announce,
  gone: (id) => {
    list.chosen.delete(id);
    if (id === list.open && placeOf(id) >= 0) say("The message that is open was deleted.");
  },
});
