// The conversation that brought a message: what was said, line by line, each with the rules that it follows.
import { el, visible } from "./tools.js";

/** Lines of one side in a row that are shown; between the first and the last the others are folded. */
const FIRST = 6, LAST = 2;

/** Lines of both sides in the order in which they ended, each with the rules of what stands in it. */
export function linesOf(said) {
  const sides = { C: { text: "", from: 0, lines: [] }, S: { text: "", from: 0, lines: [] } };
  const all = [];
  const rules = [];
  const end = (side, length) => {
    const own = sides[side];
    const line = { side, from: own.from, to: own.from + length, text: own.text.slice(0, length), rules: [] };
    own.text = own.text.slice(length);
    own.from += length;
    own.lines.push(line);
    all.push(line);
  };
  for (const { parts } of said) {
    for (const part of parts) {
      for (const side of ["C", "S"]) {
        if (typeof part[side] !== "string") continue;
        // Each character stands for one octet, so places in it are places in the stream.
        sides[side].text += part[side];
        for (let at = 0; (at = sides[side].text.indexOf("\n")) >= 0;) end(side, at + 1);
      }
      if (part.span && part.gist) rules.push(part);
      else if (part.secured) all.push({ side: "", text: `From here on by ${part.secured}`, rules: [] });
      else if (part.fault) all.push({ side: "", text: `A fault on purpose: ${part.fault}`, rules: [] });
    }
  }
  for (const side of ["C", "S"]) if (sides[side].text) end(side, sides[side].text.length);
  for (const rule of rules) {
    const line = sides[rule.side]?.lines.find(({ from, to }) => rule.from >= from && rule.from < to);
    const words = `RFC ${rule.rfc} §${rule.section}: ${rule.gist}`;
    if (line && !line.rules.includes(words)) line.rules.push(words);
  }
  return all;
}

/** As UTF-8 if it is that. */
function decoded(text) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  } catch {
    return text;
  }
}

const shown = ({ side, text, rules }) => el("li", { className: side === "C" ? "client" : side === "S" ? "server" : "event" },
  el("code", {}, el("b", {}, side ? `${side}: ` : ""), visible(decoded(text.replace(/\r?\n$/, "")))),
  ...rules.map((rule) => el("span", { className: "rule" }, rule)));

export function conversation({ id, peer, is_whole, said }) {
  const list = el("ol", { className: "said" });
  const lines = linesOf(said);
  for (let at = 0; at < lines.length;) {
    let to = at;
    while (to < lines.length && lines[to].side === lines[at].side) to += 1;
    // A rule is told once where it holds of several lines in a row.
    const run = lines.slice(at, to).map((line, place) => ({ ...line, rules: line.rules.filter((rule) => !lines[at + place - 1]?.rules.includes(rule) || place === 0) }));
    const folded = run.length > FIRST + LAST + 1 ? run.slice(FIRST, -LAST) : [];
    list.append(...run.slice(0, folded.length ? FIRST : run.length).map(shown));
    if (folded.length) {
      list.append(el("li", {}, el("details", {}, el("summary", {}, `${folded.length} more lines`), el("ol", { className: "said" }, folded.map(shown)))));
      list.append(...run.slice(-LAST).map(shown));
    }
    at = to;
  }
  const file = (name) => `/api/sessions/${encodeURIComponent(id)}/${name}`;
  return [
    el("p", { className: "quiet" }, `Session ${id}${peer ? `, with ${peer}` : ""}. C: the client said, S: the server.${is_whole ? "" : " Not all of it is kept."}`),
    list,
    el("p", { className: "tools" },
      el("a", { href: file("transcript.txt"), className: "button", download: `${id}.txt` }, "Save the transcript"),
      el("a", { href: file("log"), className: "button", download: `${id}.ndjson` }, "Save with annotations")),
  ];
}
