// One message: who and when, its views, its files, and what tests take out of it.
import { conversation } from "./conversation.js";
import { $, ask, attempt, copyable, el, json, octets, party, plain, say, visible } from "./tools.js";

/** Octets of a text that are shown; more is there to be saved. */
const SHOWN_MAX = 512 * 1024;
const WIDTHS = [["Phone", "phone"], ["Tablet", "tablet"], ["Full", "full"]];
export const VIEWS = ["HTML", "Text", "HTML source", "Headers", "Structure", "Raw", "Protocol"];

/** Which view and width somebody chose last; kept from one message to the next. */
const chosen = { view: null, width: "full" };

const at = (id) => `/api/v1/message/${id}`;
const part = (id, number) => `${at(id)}/part/${encodeURIComponent(number)}`;
const text = (octets) => {
  const long = octets.length > SHOWN_MAX;
  return [el("pre", { tabIndex: 0, role: "region", "aria-label": "Text" }, visible(octets.slice(0, SHOWN_MAX))),
    long ? el("p", { className: "quiet" }, `These are its first ${SHOWN_MAX / 1024} KiB; the raw message has all.`) : null];
};

/** Pictures that the frame does not load: a look at the source, to offer them once. */
const hasRemote = (html) => /(?:src|background|srcset)\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?\s*(?:https?:)?\/\//i.test(html);

function html({ ID, HTML }) {
  if (!HTML) return [el("p", { className: "quiet" }, "This message has no HTML part.")];
  // Never with scripts, never of our origin: what is in it was cleaned, and has a policy that says so once more.
  const frame = el("iframe", { title: "HTML of the message", className: chosen.width, src: `/inbox/html/${ID}` });
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
  const widths = WIDTHS.map(([name, width]) => {
    const button = el("button", { type: "button", "aria-pressed": String(chosen.width === width) }, name);
    button.onclick = () => {
      chosen.width = width;
      frame.className = width;
      for (const other of widths) other.setAttribute("aria-pressed", String(other === button));
    };
    return button;
  });
  const remote = hasRemote(HTML) ? el("p", { className: "notice" }, "Pictures from elsewhere are not loaded. ") : null;
  if (remote) {
    const show = el("button", { type: "button" }, "Show them once");
    show.onclick = () => {
      frame.src = `/inbox/html/${ID}?remote=1`;
      remote.remove();
    };
    remote.append(show);
  }
  return [remote, el("div", { className: "pick widths", role: "group", "aria-label": "Width" }, widths), el("div", { className: "desk" }, frame)];
}

async function headers({ ID }) {
  const fields = await json(`${at(ID)}/headers`);
  const rows = Object.entries(fields).flatMap(([name, values]) => values.map((value) =>
    el("tr", {}, el("th", { scope: "row" }, visible(name)), el("td", {}, visible(value)))));
  return [el("table", { className: "fields" }, el("tbody", {}, rows))];
}

/** The parts within each other, as lists. */
async function structure({ ID }) {
  const { parts, size, whole } = await json(`/api/messages/${ID}/structure`);
  const inside = new Map();
  const top = el("ul", { className: "tree" });
  parts.forEach((one, index) => {
    const number = one.part || "the message";
    const [from, to] = one.body;
    const line = el("li", {}, el("b", {}, visible(one.type)), " ",
      el("span", { className: "quiet" }, `${number} · ${one.encoding || "7bit"} · octets ${from}–${to}`),
      one.file ? [" ", el("span", {}, visible(one.file))] : null,
      one.part && !one.type.startsWith("multipart/") ? [" ", el("a", { href: part(ID, one.part), download: "" }, "Save", el("span", { className: "out" }, ` part ${one.part}`))] : null);
    const children = el("ul");
    line.append(children);
    (index === 0 ? top : inside.get(one.parent) ?? top).append(line);
    inside.set(one.part, children);
  });
  for (const list of top.querySelectorAll("ul:empty")) list.remove();
  return [top, el("p", { className: "quiet" }, whole ? `${size} octets in all.` : `${size} octets in all; not all parts are listed, there are too many.`)];
}

async function raw({ ID }) {
  const response = await ask(`${at(ID)}/raw`);
  const save = el("a", { href: `${at(ID)}/raw`, download: `${ID}.eml`, className: "button" }, "Save as .eml");
  return [el("p", {}, save), ...text(await response.text())];
}

/** The conversation that brought it; where it is not kept, what the message itself tells of it. */
async function protocol({ ID }) {
  const live = el("p", {}, el("a", { href: "/playground/#/live", className: "button" }, "Watch conversations live"),
    " The playground shows each octet of what comes next, with the reason for it.");
  const response = await fetch(`/api/messages/${ID}/annotations`);
  if (response.ok) return [...conversation(await response.json()), live];
  const fields = await json(`${at(ID)}/headers`);
  const rows = ["Return-Path", "Received", "Authentication-Results"].flatMap((name) =>
    (fields[name] ?? []).map((value) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, visible(value)))));
  return [
    el("p", {}, "The conversation itself is not kept. What the server wrote on top of the message tells of it (RFC 5321 §4.4):"),
    el("table", { className: "fields" }, el("tbody", {}, rows)),
    live,
  ];
}

const BODIES = {
  HTML: html,
  Text: (message) => (message.Text ? text(message.Text) : [el("p", { className: "quiet" }, "This message has no text.")]),
  "HTML source": (message) => (message.HTML ? text(message.HTML) : [el("p", { className: "quiet" }, "This message has no HTML part.")]),
  Headers: headers,
  Structure: structure,
  Raw: raw,
  Protocol: protocol,
};

/** The views as tabs: arrows go from one to the other. */
function tabs(message) {
  const panel = el("div", { id: "panel", role: "tabpanel", tabIndex: 0 });
  const own = message.HTML ? "HTML" : "Text";
  const first = chosen.view && !(chosen.view.startsWith("HTML") && !message.HTML) ? chosen.view : own;
  const all = VIEWS.map((name) => {
    const tab = el("button", { type: "button", role: "tab", id: `tab-${name.replace(" ", "-")}`, "aria-controls": "panel" }, name);
    tab.onclick = () => {
      chosen.view = name === own ? null : name;
      pick(name);
    };
    return tab;
  });
  let turn = 0;
  async function pick(name) {
    turn += 1;
    const mine = turn;
    all.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(VIEWS[at] === name));
      tab.tabIndex = VIEWS[at] === name ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `tab-${name.replace(" ", "-")}`);
    const shown = await attempt(() => BODIES[name](message));
    if (mine === turn) panel.replaceChildren(...(shown ?? []).filter(Boolean));
  }
  const bar = el("div", { role: "tablist", "aria-label": "Views" }, all);
  bar.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const index = all.indexOf(document.activeElement);
    if (!step || index < 0) return;
    const next = all[(index + step + all.length) % all.length];
    next.focus();
    next.click();
  };
  pick(first);
  return [bar, panel];
}

function files({ ID, Attachments, Inline }) {
  const all = [...Attachments, ...Inline];
  if (all.length === 0) return null;
  return el("section", { className: "beside", "aria-label": "Files" }, el("h3", {}, all.length === 1 ? "1 file" : `${all.length} files`),
    el("ul", {}, all.map((file) => el("li", {},
      // A file is saved, never shown: what it is was said by a stranger.
      el("a", { href: part(ID, file.PartID), download: plain(file.FileName) }, visible(file.FileName || `part ${file.PartID}`)),
      el("span", { className: "quiet" }, " ", visible(file.ContentType), ` · ${octets(file.Size)}`, Inline.includes(file) ? " · in the text" : ""),
      el("details", {}, el("summary", {}, "SHA-256"), el("code", {}, file.Checksums.SHA256))))));
}

/** Links and codes, which tests look for as well. */
async function found(id, place) {
  const [links, codes] = await Promise.all(["links", "codes"].map((what) => json(`/api/messages/${id}/${what}`)));
  const boxes = [];
  if (codes.length > 0) boxes.push(el("h3", {}, "Codes"), el("div", { className: "codes" }, codes.slice(0, 12).map((code) => copyable(code, `code ${code}`))));
  if (links.length > 0) {
    boxes.push(el("h3", {}, links.length === 1 ? "1 link" : `${links.length} links`), el("ul", {}, links.slice(0, 100).map((link) =>
      el("li", {}, el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, visible(link))))));
  }
  place.replaceChildren(...boxes);
  place.hidden = boxes.length === 0;
}

/** Shows a message, which marks it as read. Its subject; nothing if it is gone. */
export async function showLetter(id, acts) {
  const place = $("letter");
  let message;
  try {
    message = await json(at(id));
  } catch (error) {
    place.replaceChildren(el("div", { className: "empty" }, el("h2", {}, "This message is not here"), el("p", {}, error.message), el("p", {}, el("a", { href: "#/" }, "All messages"))));
    return null;
  }
  const line = (name, parties) => (parties.length === 0 ? null : [el("dt", {}, name), el("dd", {}, parties.map((one, index) => [index > 0 ? ", " : "", visible(party(one))]).flat())]);
  const button = (name, act, title) => Object.assign(el("button", { type: "button", title }, name), { onclick: act });
  const extracted = el("section", { className: "beside", "aria-label": "Links and codes", hidden: true });
  place.replaceChildren(
    el("div", { className: "tools head" },
      el("a", { href: "#/", className: "button back" }, "All"),
      button("Previous", acts.previous, "k"), button("Next", acts.next, "j"),
      button("Unread", acts.unread, "u"), button("Tag", acts.tag, "t"), button("Delete", acts.remove, "#"),
      button("Copy link", async () => {
        await attempt(() => navigator.clipboard.writeText(`${location.origin}/inbox/${message.ID}`));
        say("The link is copied.");
      }, "the address of this message")),
    el("h2", {}, message.Subject ? visible(message.Subject) : el("i", {}, "(no subject)")),
    el("dl", { className: "who" }, ...[line("From", [message.From]), line("To", message.To), line("Cc", message.Cc), line("Bcc", message.Bcc), line("Reply to", message.ReplyTo)].flat().filter(Boolean),
      el("dt", {}, "Date"), el("dd", {}, el("time", { dateTime: message.Date }, new Date(message.Date).toLocaleString()), ` · ${octets(message.Size)}`)),
    el("p", { id: "tags", className: "tags" }),
    ...tabs(message),
    ...[files(message)].filter(Boolean),
    extracted);
  attempt(() => found(message.ID, extracted));
  return message;
}

/** The tags of the message that is shown; each can be taken off. */
export function showTags(tags, remove) {
  const place = $("tags");
  if (!place) return;
  place.hidden = tags.length === 0;
  place.replaceChildren(...tags.map((tag) => {
    const off = el("button", { type: "button", "aria-label": `Take off the tag ${tag}` }, "×");
    off.onclick = () => remove(tag);
    return el("span", { className: "tag" }, tag, off);
  }));
}
