// The list: as many rows as are seen, out of as many as there are. Rows are asked for in pages, and anew when something happens.
import { $, el, json, moment, party, plain, visible } from "./tools.js";

/** Pixels of a row; the style sheet says the same. */
const ROW = 76;
const PAGE = 100;
/** Rows beyond what is seen that are there already. */
const BEYOND = 6;

export const list = {
  query: "",
  total: 0,
  /** Of all mail, not of what a search found. */
  all: 0,
  unread: 0,
  /** What is known of them, by place. */
  rows: [],
  /** What is chosen, with its tags. */
  chosen: new Map(),
  last: null,
  open: null,
  /** Its tags, as it told them itself. */
  openTags: [],
  loaded: false,
};

const view = () => $("window");
let tell = () => {};
/** Whoever wants to know when the list is another. */
export const whenChanged = (then) => { tell = then; };

const path = (start, limit) => {
  const zone = -new Date().getTimezoneOffset();
  const two = (number) => String(Math.trunc(number)).padStart(2, "0");
  const tz = `${zone < 0 ? "-" : "+"}${two(Math.abs(zone) / 60)}:${two(Math.abs(zone) % 60)}`;
  return list.query
    ? `/api/v1/search?query=${encodeURIComponent(list.query)}&tz=${encodeURIComponent(tz)}&start=${start}&limit=${limit}`
    : `/api/v1/messages?start=${start}&limit=${limit}`;
};

/** Which rows are seen. */
function seen() {
  const { scrollTop, clientHeight } = view();
  const first = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
  return [first, Math.min(list.total, first + Math.ceil(clientHeight / ROW) + 2 * BEYOND)];
}

let generation = 0;
const loading = new Set();

/** Takes a page of rows; nothing if another list was asked for meanwhile. */
async function take(page, rows = list.rows) {
  if (loading.has(page)) return;
  const own = generation;
  loading.add(page);
  try {
    const found = await json(path(page * PAGE, PAGE));
    if (own !== generation) return;
    Object.assign(list, { total: found.messages_count, all: found.total, unread: found.unread, loaded: true });
    found.messages.forEach((row, at) => { rows[page * PAGE + at] = row; });
  } finally {
    if (own === generation) loading.delete(page);
  }
}

/** Asks for what is seen, as it is now; until it is there, what was there stays. A search that is wrong is thrown. */
export async function refresh() {
  generation += 1;
  loading.clear();
  const own = generation;
  const [first, end] = seen();
  const pages = new Set([Math.floor(first / PAGE), Math.floor(Math.max(first, end - 1) / PAGE)]);
  // What comes before and after the message that is open is a key away.
  const place = placeOf(list.open);
  if (place >= 0) pages.add(Math.floor(place / PAGE)).add(Math.floor((place + 1) / PAGE));
  const fresh = [];
  await Promise.all([...pages].map((page) => take(page, fresh)));
  if (own !== generation) return;
  list.rows = fresh;
  draw();
  tell();
}

function row(message, at) {
  const { ID, Read, From, To, Cc, Bcc, Subject, Snippet, Created, Tags, Attachments } = message;
  const box = el("input", { type: "checkbox", checked: list.chosen.has(ID), "aria-label": `Choose ${plain(Subject) || "the message without a subject"}` });
  const to = [...To, ...Cc, ...Bcc].map((party) => party.Address).join(", ");
  const made = el("li", { className: Read ? "" : "unread", "data-id": ID, "aria-setsize": list.total, "aria-posinset": at + 1 },
    el("label", { className: "box" }, box),
    el("a", { href: `#/message/${ID}` },
      el("span", { className: "from" }, visible(From.Name || From.Address || "(nobody)"), Read ? null : el("span", { className: "out" }, ", unread")),
      el("time", { dateTime: Created, title: new Date(Created).toLocaleString() }, moment(Created)),
      el("span", { className: "subject" }, Subject ? visible(Subject) : el("i", {}, "(no subject)"),
        Attachments > 0 ? el("span", { className: "quiet" }, Attachments === 1 ? " · 1 file" : ` · ${Attachments} files`) : null),
      el("span", { className: "marks" }, ...Tags.map((tag) => el("span", { className: "tag" }, tag)),
        el("span", { className: "to" }, "to ", visible(to || "(nobody)")), el("span", {}, Snippet ? " · " : "", visible(Snippet)))));
  if (list.open === ID) made.querySelector("a").setAttribute("aria-current", "true");
  made.style.top = `${at * ROW}px`;
  return made;
}

let drawn = "";
/** Draws the rows that are seen; those that did not change stay, with the focus that they have. */
export function draw() {
  const [first, end] = seen();
  const ordered = $("list");
  ordered.style.height = `${list.total * ROW}px`;
  const old = new Map([...ordered.children].map((child) => [child.dataset.id, child]));
  const focused = ordered.contains(document.activeElement) ? document.activeElement : null;
  const focus = focused && { id: focused.closest("li").dataset.id, isBox: focused.tagName === "INPUT" };
  const now = [];
  for (let at = first; at < end; at += 1) {
    const message = list.rows[at];
    if (!message) {
      take(Math.floor(at / PAGE)).then(() => drawSoon(), () => {});
      continue;
    }
    const key = JSON.stringify([at, list.total, list.open === message.ID, list.chosen.has(message.ID), message]);
    const known = old.get(message.ID);
    if (known?.key === key) now.push(known);
    else now.push(Object.assign(row(message, at), { key }));
  }
  const order = now.map((child) => child.key).join();
  if (order === drawn) return;
  drawn = order;
  ordered.replaceChildren(...now);
  const again = focus && now.find((child) => child.dataset.id === focus.id);
  again?.querySelector(focus.isBox ? "input" : "a").focus({ preventScroll: true });
}

let frame = 0;
export function drawSoon() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(draw);
}

/** The place of a message, as far as it is known. */
export const placeOf = (id) => list.rows.findIndex((row) => row?.ID === id);

/** The one so many places further. */
export async function beside(id, step) {
  const at = placeOf(id);
  const to = at < 0 ? 0 : at + step;
  if (to < 0 || to >= list.total) return null;
  if (!list.rows[to]) await take(Math.floor(to / PAGE));
  return list.rows[to] ?? null;
}

/** Scrolls until a message is seen. */
export function show(id) {
  const at = placeOf(id);
  if (at < 0) return;
  const { scrollTop, clientHeight } = view();
  if (at * ROW < scrollTop) view().scrollTop = at * ROW;
  else if ((at + 1) * ROW > scrollTop + clientHeight) view().scrollTop = (at + 1) * ROW - clientHeight;
}

/** Chooses one, or takes it out; with Shift all up to the one before. */
export function choose(id, isWanted, isRange) {
  const places = [placeOf(isRange ? list.last : id), placeOf(id)].sort((a, b) => a - b);
  for (const message of list.rows.slice(places[0] < 0 ? places[1] : places[0], places[1] + 1)) {
    if (!message) continue;
    if (isWanted) list.chosen.set(message.ID, message.Tags);
    else list.chosen.delete(message.ID);
  }
  list.last = id;
  draw();
  tell();
}

/** Chooses all that there are, however many are seen; or none. */
export async function chooseAll(isWanted) {
  list.chosen.clear();
  if (isWanted) {
    const found = await json(path(0, 10_000));
    for (const { ID, Tags } of found.messages) list.chosen.set(ID, Tags);
  }
  draw();
  tell();
}

export const tagsOf = (id) => list.rows[placeOf(id)]?.Tags ?? list.chosen.get(id) ?? (id === list.open ? list.openTags : []);

export const nameOf = (message) => plain(party(message.From));
