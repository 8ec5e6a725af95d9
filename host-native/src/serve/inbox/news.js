// What happens, as it happens: the events of the server, the title, the icon, and notices of the system.
import { $, plain, say } from "./tools.js";

const AGAIN_MAX_MS = 15_000;
/** Bursts are shown at once; a search reads much mail, so it waits longer. */
const GATHER_MS = 150, GATHER_SEARCH_MS = 800;

/** Tells of what changed, for as long as the page is there. */
export function follow({ refresh, isSearch, arrived, gone }) {
  let tries = 0, timer = 0, busy = false, again = false;

  async function look() {
    timer = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await refresh();
    } catch { /* The next event comes, or the connection ends and says so. */ }
    busy = false;
    if (again) {
      again = false;
      soon();
    }
  }
  const soon = () => { timer ||= setTimeout(look, isSearch() ? GATHER_SEARCH_MS : GATHER_MS); };

  function open() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`);
    socket.onopen = () => {
      tries = 0;
      state("live", true);
      soon();
    };
    socket.onmessage = ({ data }) => {
      const { Type, Data } = JSON.parse(data);
      if (Type === "stats") return;
      if (Type === "new") arrived(Data);
      if (Type === "delete") gone(Data.ID);
      soon();
    };
    socket.onclose = () => {
      state("not live", false);
      tries += 1;
      setTimeout(open, Math.min(AGAIN_MAX_MS, 500 * 2 ** tries));
    };
  }
  open();
}

function state(text, isGood) {
  $("live").textContent = text;
  $("live").classList.toggle("good", isGood);
}

/** The title and the icon: how much is unread, and which server this is. */
let shown = "";
export function mark(unread, label, subject) {
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${[subject, "Inbox", label, "Pillarbox"].filter(Boolean).join(" · ")}`;
  const text = unread > 99 ? "99+" : unread > 0 ? String(unread) : "";
  const icon = document.querySelector("link[rel=icon]");
  if (shown === text && icon.href.startsWith("data:image")) return;
  shown = text;
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
  const draw = canvas.getContext("2d");
  draw.fillStyle = "#b3261e";
  draw.beginPath();
  draw.roundRect(12, 4, 40, 60, [20, 20, 4, 4]);
  draw.fill();
  draw.fillStyle = "#14171d";
  draw.fillRect(20, 20, 24, 6);
  if (text) {
    draw.fillStyle = "#fff";
    draw.beginPath();
    draw.roundRect(0, 28, 64, 36, 12);
    draw.fill();
    draw.fillStyle = "#14171d";
    draw.font = `bold ${text.length > 2 ? 28 : 34}px system-ui, sans-serif`;
    draw.textAlign = "center";
    draw.fillText(text, 32, 58);
  }
  icon.href = canvas.toDataURL();
}

/** A button that asks whether the system may tell of new mail; it is gone once that is decided. */
export function offerNotices() {
  const button = $("notify");
  if (!("Notification" in window)) return;
  const tidy = () => { button.hidden = Notification.permission !== "default"; };
  button.onclick = async () => {
    const answer = await Notification.requestPermission();
    say(answer === "granted" ? "New mail is told while this page is not looked at." : "The browser tells nothing.");
    tidy();
  };
  tidy();
}

let told = -Infinity;
/** What came: by the page if it is looked at, by the system if it may. */
export function announce(message) {
  const from = plain(message.From.Name || message.From.Address), subject = plain(message.Subject) || "(no subject)";
  say(`New: ${subject}, from ${from}`);
  if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
  // One at a time, and one a second, however many come.
  if (performance.now() - told < 1000) return;
  told = performance.now();
  const notice = new Notification(from, { body: subject, tag: "pillarbox" });
  notice.onclick = () => {
    focus();
    location.hash = `#/message/${message.ID}`;
    notice.close();
  };
}
