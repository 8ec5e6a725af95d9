// What to say where: how programs send here, which words a search knows, which keys there are, what the API has.
import { copyable, el } from "./tools.js";

/** An address that another program can use: one that listens everywhere is reached where this page is. */
function place(text) {
  const at = text.lastIndexOf(":");
  const host = text.slice(0, at).replace(/^\[|\]$/g, "");
  return { host: host === "0.0.0.0" || host === "::" ? location.hostname : host, port: text.slice(at + 1) };
}

const smtp = () => place(document.body.dataset.smtp);

function programs() {
  const { host, port } = smtp();
  const url = host.includes(":") ? `[${host}]` : host;
  return [
    ["swaks", `swaks --server ${url}:${port} --from shop@example.test --to ann@example.test \\\n  --header 'Subject: Hello' --body 'It works.'`],
    ["curl", `printf 'From: shop@example.test\\nTo: ann@example.test\\nSubject: Hello\\n\\nIt works.\\n' |\n  curl smtp://${url}:${port} --crlf --mail-from shop@example.test --mail-rcpt ann@example.test -T -`],
    ["Python", `import smtplib\nfrom email.message import EmailMessage\n\nmail = EmailMessage()\nmail["From"], mail["To"] = "shop@example.test", "ann@example.test"\nmail["Subject"] = "Hello"\nmail.set_content("It works.")\nwith smtplib.SMTP("${host}", ${port}) as server:\n    server.send_message(mail)`],
    ["Node", `// npm install nodemailer\nconst nodemailer = require("nodemailer");\nconst transport = nodemailer.createTransport({ host: "${host}", port: ${port}, secure: false, ignoreTLS: true });\ntransport.sendMail({ from: "shop@example.test", to: "ann@example.test", subject: "Hello", text: "It works." });`],
    ["Java", `# Spring Boot, application.properties\nspring.mail.host=${host}\nspring.mail.port=${port}\nspring.mail.properties.mail.smtp.auth=false\nspring.mail.properties.mail.smtp.starttls.enable=false`],
    ["Laravel", `# .env\nMAIL_MAILER=smtp\nMAIL_HOST=${host}\nMAIL_PORT=${port}\nMAIL_USERNAME=null\nMAIL_PASSWORD=null\nMAIL_ENCRYPTION=null`],
    ["PHP", `; php.ini, for mail(): this program stands in for sendmail\nsendmail_path = "env PILLARBOX_SERVER=${url}:${port} pillarbox sendmail -t"`],
    ["Ruby", `# Rails, config/environments/development.rb\nconfig.action_mailer.delivery_method = :smtp\nconfig.action_mailer.smtp_settings = { address: "${host}", port: ${port} }`],
    ["Go", `message := []byte("From: shop@example.test\\r\\nTo: ann@example.test\\r\\nSubject: Hello\\r\\n\\r\\nIt works.\\r\\n")\nerr := smtp.SendMail("${url}:${port}", nil, "shop@example.test", []string{"ann@example.test"}, message)`],
    ["Django", `# settings.py\nEMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"\nEMAIL_HOST = "${host}"\nEMAIL_PORT = ${port}\nEMAIL_USE_TLS = False`],
  ];
}

/** What the page shows while there is no mail. */
export function howToSend() {
  const { smtp, imap, pop3 } = document.body.dataset;
  const all = programs();
  const shown = el("div", { id: "sample" });
  const buttons = all.map(([name, text]) => {
    const button = el("button", { type: "button", "aria-pressed": "false" }, name);
    button.onclick = () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      shown.replaceChildren(copyable(text, name));
    };
    return button;
  });
  buttons[0].click();
  return el("div", { className: "empty" },
    el("h2", {}, "No mail yet"),
    el("p", {}, "Every address at every domain works here, nothing leaves this machine, and mail shows up on this page by itself."),
    el("dl", { className: "ports" },
      el("dt", {}, "Send by SMTP"), el("dd", {}, el("code", {}, smtp), " without TLS, and without a login"),
      el("dt", {}, "Read by IMAP"), el("dd", {}, el("code", {}, imap), " with the address as name; any password, unless the server was started with one"),
      el("dt", {}, "Read by POP3"), el("dd", {}, el("code", {}, pop3), " likewise")),
    el("h3", {}, "How to send here"),
    el("div", { className: "pick", role: "group", "aria-label": "Languages and programs" }, buttons),
    shown);
}

const WORDS = [
  ["reset link", "both words, anywhere in what people read"],
  ['"reset your password"', "these words one after the other"],
  ["from:alice  to:bob@x.test", "in the name or address of who sent it, and of who is named as recipient"],
  ["cc:  bcc:  reply-to:  addressed:", "likewise; bcc: got it without being named, addressed: any of them"],
  ["subject:welcome  message-id:", "in the subject, in the Message-ID"],
  ["is:unread  is:read  is:tagged", "by its state"],
  ["has:attachment  has:inline", "with files; with pictures in its text"],
  ["tag:slow", "with this tag"],
  ["after:2026-11-01  before:2026-12-01", "by the day it came, in your time zone"],
  ["larger:100kb  smaller:1mb", "by its size"],
  ["-from:alice  !is:read", "the opposite: - or ! in front"],
];

const table = (rows) => el("table", {}, el("tbody", {}, rows.map(([what, means]) =>
  el("tr", {}, el("th", { scope: "row" }, el("code", {}, what)), el("td", {}, means)))));

export const searchWords = () => [el("p", {}, "All words must hold. Upper and lower case are the same."), table(WORDS)];

export const KEYS = [
  ["j  k", "next, previous message"],
  ["Enter", "open the first one"],
  ["x", "choose it; with Shift all up to the last one that was chosen"],
  ["#", "delete what is chosen, or what is open"],
  ["u  r", "mark as unread, as read"],
  ["t", "tag it"],
  ["1 – 7", "the views of a message"],
  ["/", "search"],
  ["Esc", "leave the field, the message, the search"],
  ["?", "these keys"],
];

/** Whether single letters do something; who speaks to the machine may not want that (WCAG 2.1.4). */
export const lettersWork = () => localStorage.getItem("pillarbox.keys") !== "off";

export function keyTable() {
  const box = el("input", { type: "checkbox", checked: lettersWork() });
  box.onchange = () => localStorage.setItem("pillarbox.keys", box.checked ? "on" : "off");
  return [table(KEYS), el("label", { className: "check" }, box, " Single letters do this")];
}

export function apiTable() {
  const at = location.origin;
  return [
    el("p", {}, "Tests ask the server itself. Paths are Mailpit's, with some more; README.md tells of all of them."),
    copyable(`curl -s '${at}/api/wait?to=ann@example.test&subject=Hello&timeout=5s'`, "Wait for a message"),
    copyable(`curl -s ${at}/api/messages/latest/links`, "Links of the latest message"),
    copyable(`curl -s '${at}/api/v1/search?query=is:unread'`, "Search"),
    copyable(`curl -s -X POST ${at}/api/reset`, "Reset"),
  ];
}
