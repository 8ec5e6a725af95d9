// What every part of the page needs: elements, requests, and texts of strangers made harmless.

export const $ = (id) => document.getElementById(id);

/** An element; properties that begin with `aria-` or `data-` are attributes, children are nodes or texts. */
export function el(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Characters that show nothing, or that turn the direction of what stands behind them.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** A text with such characters written out, each marked as what it is. */
export function visible(text) {
  const out = document.createDocumentFragment();
  let from = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    // A line that ends with CRLF is one that ends.
    if (character === "\r" && text[index + 1] === "\n") {
      out.append(text.slice(from, index));
    } else {
      const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
      out.append(text.slice(from, index), el("mark", { title: "a character that is not seen" }, code));
    }
    from = index + character.length;
  }
  out.append(text.slice(from));
  return out;
}

/** The same as plain text, for titles and names. */
export const plain = (text) => visible(text.replace(/[\t\n]/g, " ")).textContent;

export async function ask(path, options = {}) {
  const { body, ...rest } = options;
  const more = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await fetch(path, { ...rest, ...more });
  if (response.ok) return response;
  const text = await response.text();
  let why = text;
  try { why = JSON.parse(text).Error ?? text; } catch { /* It is text. */ }
  throw new Error(why || `the server says ${response.status}`);
}

export const json = async (path, options) => (await ask(path, options)).json();

export const change = (method, path, body) => ask(path, { method, body });

/** Says something once, at the foot of the window and to who listens. */
let silence = 0;
export function say(text) {
  $("said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { $("said").textContent = ""; }, 6000);
}

/** Does what may fail, and says why it did. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message);
    return undefined;
  }
}

export const party = ({ Name, Address }) => (Name ? `${Name} <${Address}>` : Address);

export function octets(count) {
  if (count < 1000) return `${count} B`;
  const [size, unit] = count < 1e6 ? [count / 1e3, "kB"] : [count / 1e6, "MB"];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

/** A moment, short: the time if it is today, or else the day. */
export function moment(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return isToday ? date.toLocaleTimeString([], time) : date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

/** A text in a box, with a button that copies it. */
export function copyable(text, name, properties = {}) {
  const button = el("button", { type: "button", className: "copy", "aria-label": `Copy: ${name}` }, "Copy");
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };
  return el("div", { className: "copyable" }, el("pre", { tabIndex: 0, role: "region", "aria-label": name, ...properties }, visible(text)), button);
}

/** Asks before something is done; a text field if `field` is named. What was said: its text, true, or null. */
export function question(text, yes, field, more = []) {
  const dialog = $("ask");
  const input = field && el("input", { type: "text", autocomplete: "off", required: true, id: "field" });
  $("question").textContent = text;
  $("more").replaceChildren(...more, ...(input ? [el("label", { htmlFor: "field" }, field), input] : []));
  $("yes").textContent = yes;
  $("yes").hidden = !yes;
  dialog.returnValue = "";
  dialog.showModal();
  (input ?? (yes ? $("yes") : dialog.querySelector(".quiet"))).focus();
  dialog.querySelector(".quiet").textContent = yes ? "Cancel" : "Close";
  dialog.querySelector(".quiet").onclick = (event) => { event.preventDefault(); dialog.close(""); };
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") resolve(null);
      else resolve(input ? input.value.trim() : true);
    }, { once: true });
  });
}
