// The published client of Mailpit against this server: every call that the server answers, by its types' names.
//
// node mailpit.mjs BASE SMTP_PORT

import assert from "node:assert/strict";
import net from "node:net";
import { MailpitClient } from "mailpit-api";

const [base, port] = process.argv.slice(2);
const mailpit = new MailpitClient(base);
const run = `run${process.pid}`;

/** Says the lines, each once the one before is answered. */
function smtp(lines) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), "127.0.0.1");
    const left = [...lines];
    let last = "";
    socket.on("error", reject);
    socket.on("end", () => resolve(last));
    let heard = "";
    socket.on("data", (octets) => {
      heard += octets;
      if (!heard.endsWith("\r\n") || !/^\d{3} /m.test(heard.split("\r\n").at(-2))) return;
      const said = heard;
      heard = "";
      if (/accepted for delivery as/.test(said)) last = said.match(/as (\S+)\r\n/)[1];
      if (left.length > 0) socket.write(left.shift() + "\r\n");
    });
  });
}

const types = (value) =>
  Object.fromEntries(Object.entries(value).map(([name, own]) => [name, Array.isArray(own) ? "array" : typeof own]));

// One transaction with three recipients, one of them blind, is one message, by the number that SMTP told.
const told = await smtp([
  "EHLO localhost",
  "MAIL FROM:<alice@crepes.fr>",
  ...["bob", "carol", "eve"].map((name) => `RCPT TO:<${name}.${run}@hamburger.edu>`),
  "DATA",
  [
    'From: "Alice Smith" <alice@crepes.fr>',
    `To: Bob <bob.${run}@hamburger.edu>`,
    `Cc: carol.${run}@hamburger.edu`,
    "Reply-To: desk@crepes.fr",
    `Subject: =?utf-8?q?R=C3=A9set?= ${run}`,
    `Message-ID: <${run}@crepes.fr>`,
    "Date: Mon, 05 Jan 2026 09:00:00 +0000",
    "List-Unsubscribe: <https://crepes.fr/u>, <mailto:u@crepes.fr>",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "X-Two: a",
    "X-Two: b",
    "",
    `Follow https://crepes.fr/reset/${run} please.`,
    ".",
  ].join("\r\n"),
  "QUIT",
]);
const found = await mailpit.searchMessages({ query: `subject:"réset ${run}"` });
assert.equal(found.messages_count, 1, "one transaction is one message");
const [item] = found.messages;
assert.equal(item.ID, told);
assert.deepEqual(types(item), {
  ID: "string", MessageID: "string", Read: "boolean", From: "object", To: "array", Cc: "array", Bcc: "array",
  ReplyTo: "array", Subject: "string", Created: "string", Username: "string", Tags: "array", Size: "number",
  Attachments: "number", Snippet: "string",
});
assert.deepEqual(item.From, { Name: "Alice Smith", Address: "alice@crepes.fr" });
assert.deepEqual(item.To, [{ Name: "Bob", Address: `bob.${run}@hamburger.edu` }]);
assert.deepEqual(item.Bcc, [{ Name: "", Address: `eve.${run}@hamburger.edu` }]);
assert.equal(item.MessageID, `${run}@crepes.fr`);
assert.equal(item.Read, false);
assert.match(item.Created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
assert.match(item.Snippet, /^Follow https/);

const list = await mailpit.listMessages(0, 1);
assert.equal(list.messages[0].ID, item.ID, "the newest is the first");
assert.equal(list.count, 1);
assert.equal(list.messages_count, list.total);
assert.equal(list.messages_unread, list.unread);
assert.equal(list.start, 0);
assert.equal((await mailpit.listMessages(list.total, 5)).messages.length, 0);

const headers = await mailpit.getMessageHeaders(item.ID);
assert.deepEqual(headers["X-Two"], ["a", "b"]);
assert.deepEqual(headers["Message-Id"], [`<${run}@crepes.fr>`]);
assert.match(await mailpit.getMessageSource(item.ID), new RegExp(`\r\nSubject: =\\?utf-8\\?q\\?R=C3=A9set\\?= ${run}\r\n`));

const whole = await mailpit.getMessageSummary(item.ID);
assert.equal(whole.Text.trim(), `Follow https://crepes.fr/reset/${run} please.`);
assert.equal(whole.HTML, "");
assert.equal(whole.Date, "2026-01-05T09:00:00.000Z");
assert.equal(whole.ReturnPath, "alice@crepes.fr");
assert.deepEqual(whole.ListUnsubscribe.Links, ["https://crepes.fr/u", "mailto:u@crepes.fr"]);
assert.equal(whole.ListUnsubscribe.Errors, "");
assert.equal(whole.Subject, `Réset ${run}`);

// Each word of the search.
const holds = async (query) => (await mailpit.searchMessages({ query: `subject:${run} ${query}` })).messages_count;
for (const query of [
  "from:alice", `to:bob.${run}`, `cc:carol.${run}`, `bcc:eve.${run}`, "reply-to:desk", `addressed:eve.${run}`,
  `message-id:${run}@crepes.fr`, "after:2020-01-01", "-before:2020-01-01", "larger:10", "smaller:1M", "is:read",
  "!has:attachment", '"reset/run"'.replace("run", run), "-tag:later",
]) {
  assert.equal(await holds(query), 1, query);
}
for (const query of ["from:bob", "to:eve", "is:unread", "has:inline", "after:2100-01-01", "nowhere"]) {
  assert.equal(await holds(query), 0, query);
}
await assert.rejects(mailpit.searchMessages({ query: "is:purple" }), /400.*is:unread/);
await assert.rejects(mailpit.searchMessages({ query: "after:2026-01-01", tz: "Mars/Olympus" }), /400/);

// Read and unread, tags.
assert.equal(await mailpit.setReadStatus({ IDs: [item.ID], Read: false }), "ok");
assert.equal(await holds("is:unread"), 1);
assert.equal(await mailpit.setReadStatus({ Search: `subject:${run}`, Read: true }), "ok");
assert.equal(await holds("is:read"), 1);
assert.equal(await mailpit.setTags({ IDs: [item.ID], Tags: [`T-${run}`] }), "ok");
assert.ok((await mailpit.getTags()).includes(`T-${run}`));
assert.equal(await mailpit.renameTag(`T-${run}`, `U-${run}`), "ok");
assert.equal(await holds(`tag:u-${run}`), 1);
assert.equal(await mailpit.deleteTag(`U-${run}`), "ok");
assert.equal(await holds("is:tagged"), 0);

// Sending, files, and what is shown of them.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const sent = await mailpit.sendMessage({
  From: { Email: "desk@crepes.fr", Name: "Desk" },
  To: [{ Email: `bob.${run}@hamburger.edu` }],
  Bcc: [`eve.${run}@hamburger.edu`],
  ReplyTo: [{ Email: "other@crepes.fr" }],
  Subject: `files ${run}`,
  Text: "plain",
  HTML: '<p>rich <img src="cid:pixel"></p>',
  Headers: { "X-Run": run },
  Tags: [`S-${run}`],
  Attachments: [
    { Filename: "a.txt", Content: Buffer.from("hello").toString("base64") },
    { Filename: "pixel.png", Content: pixel, ContentID: "pixel", ContentType: "image/png" },
  ],
});
const filed = await mailpit.waitForMessage({ query: `subject:"files ${run}"` });
assert.equal(filed.ID, sent.ID);
assert.deepEqual(filed.Tags, [`S-${run}`]);
assert.deepEqual(filed.Attachments.map((file) => [file.FileName, file.ContentType, file.Size]), [["a.txt", "text/plain", 5]]);
assert.deepEqual(filed.Attachments[0].Checksums, {
  MD5: "5d41402abc4b2a76b9719d911017c592",
  SHA1: "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
  SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
});
assert.equal(filed.Inline[0].FileName, "pixel.png");
const file = await mailpit.getMessageAttachment(filed.ID, filed.Attachments[0].PartID);
assert.equal(await file.text(), "hello");
const image = await mailpit.getMessageAttachment(filed.ID, filed.Inline[0].PartID);
assert.deepEqual(Buffer.from(await image.arrayBuffer()), Buffer.from(pixel, "base64"));
const html = await mailpit.renderMessageHTML(filed.ID);
assert.match(html, new RegExp(`src="/api/v1/message/${filed.ID}/part/${filed.Inline[0].PartID}"`));
assert.equal((await mailpit.renderMessageText(filed.ID)).trim(), "plain");
await assert.rejects(mailpit.renderMessageHTML(item.ID), /404/);
await assert.rejects(mailpit.sendMessage({ From: { Email: "a@b.example" }, To: [] }), /400.*to whom/);
await assert.rejects(mailpit.sendMessage({ From: { Email: "a@b.example" }, To: [{ Email: "x\r\ny@b.example" }] }), /400.*To/);

// Chaos, and what the server is.
const triggers = await mailpit.setChaosTriggers({ Recipient: { ErrorCode: 450, Probability: 100 } });
assert.deepEqual(triggers.Recipient, { ErrorCode: 450, Probability: 100 });
assert.deepEqual(await mailpit.getChaosTriggers(), triggers);
await mailpit.setChaosTriggers();
const info = await mailpit.getInfo();
assert.deepEqual(types(info.RuntimeStats), {
  Memory: "number", MessagesDeleted: "number", SMTPAccepted: "number", SMTPAcceptedSize: "number", SMTPIgnored: "number",
  SMTPRejected: "number", Uptime: "number",
});
assert.equal(info.Messages, (await mailpit.listMessages()).total);
assert.equal((await mailpit.getConfiguration()).ChaosEnabled, true);

// Waiting, and going.
assert.equal((await mailpit.waitForMessages({ query: `subject:${run}`, count: 2, exact: true })).messages_count, 2);
assert.equal(await mailpit.deleteMessages({ IDs: [item.ID] }), "ok");
await assert.rejects(mailpit.getMessageSummary(item.ID), /404/);
assert.equal(await mailpit.deleteMessagesBySearch({ query: `subject:${run}` }), "ok");
assert.equal((await mailpit.waitForMessages({ query: `subject:${run}`, count: 0 })).messages_count, 0);
await assert.rejects(mailpit.deleteMessagesBySearch({ query: "" }), /400/);
for (const check of ["htmlCheck", "linkCheck", "spamAssassinCheck"]) {
  await assert.rejects(mailpit[check](), /501/);
}
