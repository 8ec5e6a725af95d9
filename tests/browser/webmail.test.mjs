// Web mail as the running server serves it: from signing in to deleting, by keyboard and mouse, with letters by SMTP.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { attack, elsewhere } from "./attack.mjs";
import { SIZES, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const at = (path) => `http://${server.http}/mail${path}`;
const INBOX = "/in/INBOX";

/** Hands a letter over by SMTP. */
const deliver = (to, text) => new Promise((resolve, reject) => {
  const [host, port] = server.smtp.split(":");
  const socket = connect(Number(port), host);
  const said = ["EHLO test.example", "MAIL FROM:<alice@crepes.fr>", `RCPT TO:<${to}>`, "DATA", `${text}\r\n.`, "QUIT"];
  socket.setEncoding("latin1").on("error", reject).on("end", resolve);
  socket.on("data", (heard) => { if (/^\d{3} /m.test(heard) && said.length > 0) socket.write(`${said.shift()}\r\n`); });
});

async function visit(name, size = SIZES.wide, colorScheme = "light") {
  const context = await browser.newContext({ viewport: size, colorScheme, acceptDownloads: true });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  await page.goto(at("/"));
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("any");
  await page.keyboard.press("Enter");
  await page.waitForURL(at(INBOX));
  return { context, page, wrong, close: () => context.close() };
}

/** What the queue held is there by now; the page shows it without being loaded. */
const arrives = (page, text) => page.locator("#listing").getByText(text).first().waitFor({ timeout: 15_000 });

const read = (page, subject) => page.locator("#listing").getByText(subject).first().click();
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const follow = (page, name) => page.getByRole("link", { name, exact: true }).first().click();
/** Nothing is wider than the screen. */
const fits = async (page) => {
  const { scroll, wide } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, wide: innerWidth }));
  assert.ok(scroll <= wide, `${scroll} in ${wide}`);
};

test("the token of the printed address does not stay in that of web mail", async () => {
  const { page, wrong, close } = await visit("dave@hamburger.edu");
  await page.goto(`${at(INBOX)}#t=0123456789abcdef`);
  await page.waitForFunction(() => !location.href.includes("#"));
  assert.equal(page.url(), at(INBOX));
  assert.deepEqual(wrong, []);
  await close();
});

test("a letter is read, answered by another and deleted, and what it says is never a tag", async () => {
  await deliver("bob@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: <b>Lunch</b> & more\r\n\r\n<script>document.title = 1</script>");
  const { page, wrong, close } = await visit("bob@hamburger.edu");
  assert.match(await page.textContent("ol"), /<b>Lunch<\/b> & more from Alice, .*, unread/);
  await shot(page, "webmail-inbox");
  assert.deepEqual(await serious(page), []);
  await read(page, "Lunch");
  assert.equal((await page.textContent("pre")).trim(), "<script>document.title = 1</script>");
  assert.equal(await page.locator("pre script").count(), 0);
  assert.equal(await page.title(), "<b>Lunch</b> & more");
  await shot(page, "webmail-message");
  assert.deepEqual(await serious(page), []);
  await follow(page, "Write");
  assert.deepEqual(await serious(page), []);
  await page.getByLabel("Text").fill("Crème brûlée?\n.\n");
  await press(page, "Send");
  // A sheet that is being kept is sent once that is done.
  await page.getByText("Say to whom it goes.").waitFor();
  assert.equal((await page.getByLabel("Text").inputValue()).trim(), "Crème brûlée?\n.");
  await page.getByLabel("To", { exact: true }).fill("carol@hamburger.edu");
  await page.getByLabel("Subject").fill("Lunch");
  await press(page, "Send");
  await page.waitForURL(at("/sent"));
  await shot(page, "webmail-sent");
  assert.deepEqual(await serious(page), []);
  await follow(page, "Inbox");
  assert.doesNotMatch(await page.textContent("ol"), /, unread/);
  await read(page, "Lunch");
  await press(page, "Delete");
  await page.waitForURL(at(INBOX));
  assert.match(await page.textContent("body"), /1 message moved to Trash\.[\s\S]*No messages\./);
  assert.deepEqual(wrong.filter((line) => !line.includes("422")), []);
  await close();

  const carol = await visit("carol@hamburger.edu", SIZES.narrow, "dark");
  await arrives(carol.page, "Lunch");
  await fits(carol.page);
  await shot(carol.page, "webmail-narrow-inbox");
  await read(carol.page, "Lunch");
  assert.match(await carol.page.textContent("pre"), /Crème brûlée\?\n\.\n/);
  await fits(carol.page);
  await shot(carol.page, "webmail-narrow");
  assert.deepEqual(await serious(carol.page), []);
  await carol.close();
});

test("check 22: compose with a file, receive, reply, thread shown, search, move, undo", async () => {
  const ann = await visit("ann@crepes.fr");
  await follow(ann.page, "Write");
  await ann.page.getByLabel("To", { exact: true }).fill("ben@hamburger.edu");
  await ann.page.getByLabel("Subject").fill("Menu for Friday");
  await ann.page.getByLabel("Text").fill("Here it is.");
  const octets = Buffer.from("<script>alert(1)</script>\n".repeat(20_000));
  await ann.page.getByLabel("Files").setInputFiles({ name: "Menü \"1\".html", mimeType: "text/html", buffer: octets });
  await shot(ann.page, "webmail-write");
  await press(ann.page, "Send");
  await ann.page.waitForURL(at("/sent"));

  const ben = await visit("ben@hamburger.edu");
  await arrives(ben.page, "Menu for Friday");
  assert.match(await ben.page.textContent("ol"), /Menu for Friday from ann@crepes\.fr, .*with files, unread/);
  await read(ben.page, "Menu for Friday");
  const [download] = await Promise.all([ben.page.waitForEvent("download"), ben.page.getByRole("link", { name: /Menü/ }).click()]);
  assert.match(download.suggestedFilename(), /^Menü .1.\.html$/);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  assert.ok(Buffer.concat(chunks).equals(octets), "each octet is there");
  await follow(ben.page, "Structure");
  assert.match(await ben.page.textContent("pre"), /multipart\/mixed[\s\S]*text\/plain[\s\S]*text\/html/);
  await shot(ben.page, "webmail-structure");
  await follow(ben.page, "Text");
  await follow(ben.page, "Reply");
  assert.equal(await ben.page.getByLabel("To", { exact: true }).inputValue(), "ann@crepes.fr");
  assert.equal(await ben.page.getByLabel("Subject").inputValue(), "Re: Menu for Friday");
  // Kept, and taken up again.
  await ben.page.getByLabel("Text").fill("I'll");
  await press(ben.page, "Keep as draft");
  await follow(ben.page, "Drafts");
  await read(ben.page, "Menu for Friday");
  await follow(ben.page, "Go on writing");
  await ben.page.getByLabel("Text").fill("I'll come.");
  await press(ben.page, "Send");
  await ben.page.waitForURL(at("/sent"));
  await follow(ben.page, "Inbox");
  assert.match(await ben.page.textContent("ol"), /, answered/);
  await read(ben.page, "Menu for Friday");
  assert.match(await ben.page.textContent(".thread"), /Menu for Friday from ann@crepes\.fr[\s\S]*Re: Menu for Friday from ben@hamburger\.edu, .*in Sent/);
  await shot(ben.page, "webmail-thread");
  assert.deepEqual(await serious(ben.page), []);

  await ann.page.goto(at(INBOX));
  await arrives(ann.page, "Re: Menu for Friday");
  await read(ann.page, "Re: Menu for Friday");
  assert.match(await ann.page.textContent("pre"), /I'll come\./);
  assert.match(await ann.page.textContent(".thread"), /Menu for Friday .*in Sent/);
  await deliver("ann@crepes.fr", "From: Carl <carl@a.example>\r\nSubject: Ketchup\r\n\r\nRed.");
  await ann.page.goto(at(INBOX));
  await ann.page.getByRole("searchbox").fill("from:carl is:unread red");
  await Promise.all([ann.page.waitForURL((url) => url.search !== ""), ann.page.keyboard.press("Enter")]);
  assert.equal(await ann.page.locator("ol li").count(), 1);
  assert.match(await ann.page.textContent("ol"), /Ketchup from Carl/);
  await shot(ann.page, "webmail-search");
  await follow(ann.page, "All messages");
  assert.equal(await ann.page.locator("ol li").count(), 2);
  // By keyboard: both are chosen, and moved.
  for (const box of await ann.page.locator("#listing [name=uid]").all()) {
    await box.focus();
    await ann.page.keyboard.press("Space");
  }
  await ann.page.getByLabel("Move to").selectOption("Archive");
  await press(ann.page, "Move");
  assert.match(await ann.page.textContent("main"), /2 messages moved to Archive\.[\s\S]*No messages\./);
  await shot(ann.page, "webmail-undo");
  assert.deepEqual(await serious(ann.page), []);
  await press(ann.page, "Undo");
  assert.match(await ann.page.textContent("main"), /2 messages moved back to Inbox\./);
  assert.equal(await ann.page.locator("ol li").count(), 2);
  await follow(ann.page, "Folders");
  await ann.page.getByLabel("Name, with / between levels").fill("Menus/2026");
  await press(ann.page, "Create");
  await follow(ann.page, "Delete Menus/2026");
  assert.equal(await ann.page.title(), "Delete Menus/2026?");
  await press(ann.page, "Delete for ever");
  assert.doesNotMatch(await ann.page.textContent("main > ul"), /Menus\/2026/);
  await shot(ann.page, "webmail-folders");
  assert.deepEqual(await serious(ann.page), []);
  assert.deepEqual([...ann.wrong, ...ben.wrong], []);
  await ann.close();
  await ben.close();
});

/** Speaks IMAP for who it is, with any password; what came to each command. */
const imap = (name, commands) => new Promise((resolve, reject) => {
  const [host, port] = server.imap.split(":");
  const socket = connect(Number(port), host);
  const said = [`a LOGIN ${name} any`, ...commands.map((command) => `a ${command}`), "z LOGOUT"];
  let heard = "";
  socket.setEncoding("latin1").on("error", reject).on("end", () => resolve(heard));
  socket.on("data", (octets) => {
    heard += octets;
    if (/^(\* OK .*|a (OK|NO|BAD).*)\r\n$/m.test(octets) && said.length > 0) socket.write(`${said.shift()}\r\n`);
  });
});

test("a list shows what others do, keeps what was chosen, and its stream ends with the visit", async () => {
  const gus = await visit("gus@hamburger.edu");
  const rows = gus.page.locator("#listing li");
  await deliver("gus@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nSubject: First\r\n\r\nOne.");
  await arrives(gus.page, "First");
  assert.match(await gus.page.locator(".said").textContent(), /^New: First from Alice$/);
  assert.equal(await gus.page.locator(".said").getAttribute("role"), "status");
  await shot(gus.page, "webmail-live");
  assert.deepEqual(await serious(gus.page), []);
  assert.match(await gus.page.textContent("nav"), /Inbox 1 unread/);
  await gus.page.getByRole("checkbox", { name: "Choose First" }).check();
  await gus.page.getByLabel("Move to").selectOption("Archive");
  await gus.page.getByRole("checkbox", { name: "Choose First" }).focus();
  await deliver("gus@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nSubject: Second\r\n\r\nTwo.");
  await arrives(gus.page, "Second");
  const first = gus.page.getByRole("checkbox", { name: "Choose First" });
  assert.ok(await first.isChecked(), "what was chosen is chosen");
  assert.ok(await first.evaluate((box) => box === document.activeElement), "and has the focus");
  assert.equal(await gus.page.getByLabel("Move to").inputValue(), "Archive");
  // By IMAP: a flag, and a move.
  await imap("gus@hamburger.edu", ["SELECT INBOX", "STORE 1 +FLAGS (\\Seen \\Flagged)"]);
  await gus.page.locator("#listing").getByText(/, flagged$/).waitFor();
  assert.doesNotMatch(await rows.last().textContent(), /unread/);
  await imap("gus@hamburger.edu", ["SELECT INBOX", "MOVE 2 Archive"]);
  await gus.page.waitForFunction(() => document.querySelectorAll("#listing li").length === 1);
  const all = gus.page.getByLabel("Choose all on this page");
  assert.ok(await all.isHidden(), "of one there is nothing to choose");
  await deliver("gus@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nSubject: Fourth\r\n\r\nFour.");
  await arrives(gus.page, "Fourth");
  await all.check();
  assert.equal(await gus.page.locator("#listing [name=uid]:checked").count(), 2);
  // A window that is not seen holds no stream; one that is seen again has all that came meanwhile.
  const other = await gus.context.newPage();
  await other.goto(at("/in/Archive"));
  assert.equal(await other.locator("#listing li").count(), 1);
  await deliver("gus@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nSubject: Third\r\n\r\nThree.");
  await gus.page.bringToFront();
  await arrives(gus.page, "Third");
  // Signed out in one window, the other says so.
  await other.bringToFront();
  await press(other, "Sign out");
  await gus.page.bringToFront();
  await gus.page.locator(".said").getByText("You are signed out.").waitFor();
  assert.equal((await fetch(at("/live"))).status, 401);
  assert.deepEqual(gus.wrong, []);
  await gus.close();
});

test("more windows than streams, and each that is open last is told", async () => {
  const login = await fetch(at("/login"), { method: "POST", redirect: "manual", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "user=hal@hamburger.edu&password=any" });
  const Cookie = login.headers.get("set-cookie").split(";")[0];
  const aborts = [];
  const open = async () => {
    const abort = new AbortController();
    aborts.push(abort);
    const response = await fetch(at("/live"), { headers: { Cookie }, signal: abort.signal });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    return response.body.pipeThrough(new TextDecoderStream()).getReader();
  };
  const first = await open();
  const all = [];
  for (let count = 0; count < 8; count += 1) all.push(await open());
  // The first one ends; it had said hello, and perhaps that it was there.
  for (let ended = false; !ended;) ({ done: ended } = await first.read());
  await deliver("hal@hamburger.edu", "Subject: Hi\r\n\r\nx");
  let text = "";
  while (!text.includes("event: mail")) text += (await all.at(-1).read()).value;
  const out = await fetch(at("/logout"), { method: "POST", redirect: "manual", headers: { Cookie } });
  assert.equal(out.status, 303);
  for (const reader of all) {
    let rest = "";
    for (let done = false; !done;) {
      const read = await reader.read();
      done = read.done;
      rest += read.value ?? "";
    }
    assert.match(rest, /event: ended/);
  }
  aborts.forEach((abort) => abort.abort());
});

const state = (page, text) => page.locator(".state").getByText(text).waitFor();

test("a sheet keeps itself: one draft, restored after a reload, with files, and what fails is not lost", async () => {
  const ida = await visit("ida@hamburger.edu");
  const { page } = ida;
  await follow(page, "Write");
  await page.getByLabel("To", { exact: true }).fill("jo@");
  await page.getByLabel("Subject").fill("Plans");
  await page.getByLabel("Text").fill("First.");
  await state(page, /^Saved \d\d:\d\d$/);
  await page.getByLabel("Text").fill("First. Second.");
  // A file is dropped, another is pasted.
  await page.evaluate(() => {
    const form = document.querySelector("form.sheet");
    const bring = (name) => {
      const data = new DataTransfer();
      data.items.add(new File(["octets"], name, { type: "text/plain" }));
      return data;
    };
    form.dispatchEvent(new DragEvent("drop", { dataTransfer: bring("dropped.txt"), bubbles: true, cancelable: true }));
    form.dispatchEvent(new ClipboardEvent("paste", { clipboardData: bring("pasted.txt"), bubbles: true, cancelable: true }));
  });
  await page.getByRole("checkbox", { name: /dropped\.txt/ }).waitFor();
  await page.getByRole("checkbox", { name: /pasted\.txt/ }).waitFor();
  await page.locator(".state").scrollIntoViewIfNeeded();
  await shot(page, "webmail-saved");
  assert.deepEqual(await serious(page), []);
  const drafts = async () => {
    const response = await page.request.get(at("/in/Drafts"));
    return (await response.text()).match(/name=uid/g)?.length ?? 0;
  };
  assert.equal(await drafts(), 1);
  await page.reload();
  assert.equal(await page.getByLabel("To", { exact: true }).inputValue(), "jo@");
  assert.equal((await page.getByLabel("Text").inputValue()).trim(), "First. Second.");
  assert.equal(await page.getByRole("checkbox", { name: /\.txt/ }).count(), 2);
  // Loaded again at once: what was typed a moment ago is there.
  await page.getByLabel("Text").fill("Third.");
  await page.reload();
  assert.equal((await page.getByLabel("Text").inputValue()).trim(), "Third.");
  // The page that went has saved it, or the one that came does.
  for (let kept = ""; !kept.includes("Third."); kept = await (await page.request.get(page.url())).text()) await page.waitForTimeout(200);
  assert.equal(await drafts(), 1);
  // The browser breaks.
  const address = page.url();
  await page.close();
  const again = await ida.context.newPage();
  await again.goto(address);
  assert.equal((await again.getByLabel("Text").inputValue()).trim(), "Third.");
  // The server is not reached: that is said, and it is tried again.
  await again.route("**/draft", (route) => route.abort());
  await again.getByLabel("Text").fill("Fourth.");
  await state(again, /^Not saved: the server is not reached\. What you wrote is still here\.$/);
  await again.locator(".state").scrollIntoViewIfNeeded();
  await shot(again, "webmail-not-saved");
  assert.deepEqual(await serious(again), []);
  await press(again, "Send");
  assert.equal(new URL(again.url()).pathname, "/mail/write", "a page that cannot save stays");
  await again.unroute("**/draft");
  await state(again, /^Saved/);
  await again.getByLabel("To", { exact: true }).fill("jo@hamburger.edu");
  await press(again, "Send");
  await again.waitForURL(at("/sent"));
  assert.equal(await drafts(), 0, "what was sent is no draft");
  // Another one, which nobody wants.
  await follow(again, "Write");
  await again.getByLabel("Text").fill("Never mind.");
  await state(again, /^Saved/);
  assert.equal(await drafts(), 1);
  await press(again, "Discard");
  await again.waitForURL(at(INBOX));
  assert.equal(await drafts(), 0);
  assert.deepEqual(ida.wrong, []);
  await ida.close();

  const jo = await visit("jo@hamburger.edu", SIZES.narrow, "dark");
  await arrives(jo.page, "Plans");
  await read(jo.page, "Plans");
  assert.match(await jo.page.textContent("pre"), /Fourth\./);
  assert.match(await jo.page.textContent(".files"), /dropped\.txt[\s\S]*pasted\.txt/);
  await follow(jo.page, "Reply");
  await jo.page.getByLabel("Text").fill("Fine.");
  await state(jo.page, /^Saved/);
  await fits(jo.page);
  await jo.page.locator(".state").scrollIntoViewIfNeeded();
  await shot(jo.page, "webmail-narrow-write");
  assert.deepEqual(await serious(jo.page), []);
  await jo.close();
});

test("a letter is taken back within five seconds, and goes though its page is closed", async () => {
  const kim = await visit("kim@hamburger.edu");
  const { page } = kim;
  const write = async (subject) => {
    await follow(page, "Write");
    await page.getByLabel("To", { exact: true }).fill("lee@hamburger.edu");
    await page.getByLabel("Bcc").fill("max@hamburger.edu");
    await page.getByLabel("Subject").fill(subject);
    await page.getByLabel("Text").fill("Text.");
    await press(page, "Send");
    await page.waitForURL(at("/sent"));
  };
  await write("A slip");
  assert.match(await page.textContent(".notice"), /holds the letter for 5 seconds/);
  await page.getByRole("button", { name: "Undo send" }).click();
  await page.waitForURL(/\/write\?/);
  assert.match(await page.textContent(".notice"), /It is not sent\./);
  assert.equal(await page.getByLabel("Bcc").inputValue(), "max@hamburger.edu");
  await shot(page, "webmail-undone");
  assert.deepEqual(await serious(page), []);
  // Sent again as it is, and taken back again.
  await press(page, "Send");
  await page.waitForURL(at("/sent"));
  await page.getByRole("button", { name: "Undo send" }).click();
  await page.waitForURL(/\/write\?/);
  await write("Meant");
  const letter = await page.locator("[name=letter]").inputValue();
  await shot(page, "webmail-sent");
  // The button goes when it would do nothing.
  await page.getByRole("button", { name: "Undo send" }).waitFor({ state: "detached", timeout: 8000 });
  assert.match(await page.textContent(".notice"), /^Your server has the letter/);
  await page.waitForTimeout(1500);
  const late = await page.request.post(at("/unsend"), { form: { letter } });
  assert.match(await late.text(), /It was too late: the letter is sent\./);
  await write("Closed");
  await page.close();
  const lee = await visit("lee@hamburger.edu");
  await arrives(lee.page, "Closed");
  assert.match(await lee.page.textContent("#listing"), /Closed[\s\S]*Meant/);
  assert.doesNotMatch(await lee.page.textContent("#listing"), /A slip/);
  assert.deepEqual([...kim.wrong, ...lee.wrong], []);
  await lee.close();
  await kim.close();
});

test("show me the protocol: the requests, and what became of a letter, without secrets", async () => {
  const nat = await visit("nat@hamburger.edu");
  const { page } = nat;
  const summary = page.getByText("Show me the protocol");
  await summary.click();
  const said = await page.textContent("#protocol");
  assert.match(said, /POST \/mail\/login HTTP\/1\.1[\s\S]*user = nat@hamburger\.edu[\s\S]*password = \*{6}[\s\S]*303[\s\S]*Set-Cookie: visit=\*{6}; Path[\s\S]*GET \/mail\/in\/INBOX HTTP\/1\.1\nCookie: visit=\*{6}[\s\S]*200/);
  const [cookie] = await nat.context.cookies();
  assert.doesNotMatch(await page.content(), new RegExp(cookie.value));
  await shot(page, "webmail-protocol");
  assert.deepEqual(await serious(page), []);
  await follow(page, "Write");
  await page.getByText("Show me the protocol").click();
  await page.getByLabel("To", { exact: true }).fill("nat@hamburger.edu");
  await page.getByLabel("Text").fill("word ".repeat(40));
  await state(page, /^Saved/);
  await page.locator("#protocol").getByText(/POST \/mail\/draft/).waitFor();
  assert.match(await page.textContent("#protocol"), /text = word word [^\n]*… \(\d+ octets\)/);
  await press(page, "Send");
  await page.waitForURL(at("/sent"));
  await follow(page, "Show me the SMTP");
  assert.match(await page.textContent("#smtp"), /MAIL FROM:<nat@hamburger\.edu> SIZE=\d+\nRCPT TO:<nat@hamburger\.edu>\n# held for 6 s, .*\n# queued as \d+/);
  await shot(page, "webmail-smtp");
  assert.deepEqual(await serious(page), []);
  await page.locator("#smtp").getByText(/so no SMTP was spoken/).waitFor({ timeout: 15_000 });
  const smtp = page.url();
  await page.goto(smtp.replace(/\/smtp$/, ""));
  await follow(page, "Show me the SMTP");
  // Nobody else's.
  const eve = await visit("oda@hamburger.edu", SIZES.narrow, "dark");
  assert.equal((await eve.page.request.get(smtp)).status(), 404);
  await eve.page.getByText("Show me the protocol").click();
  await fits(eve.page);
  await shot(eve.page, "webmail-narrow-protocol");
  assert.deepEqual(await serious(eve.page), []);
  assert.doesNotMatch(await eve.page.content(), /nat@hamburger/);
  assert.deepEqual(nat.wrong, []);
  await eve.close();
  await nat.close();
});

test("show me the protocol: SMTP that carried a letter to another server", async () => {
  // A server with accounts, whose mail for elsewhere goes to the one that the other tests use.
  const bin = process.env.PILLARBOX_BIN ?? fileURLToPath(new URL("../../target/release/pillarbox", import.meta.url));
  const home = mkdtempSync(join(tmpdir(), "pillarbox-webmail-"));
  const config = join(home, "pillarbox.toml");
  const ready = join(home, "ready.json");
  writeFileSync(config, `host_name = "crepes.example"
data = "data"
domains = ["crepes.example"]
[listen]
smtp = "127.0.0.1:0"
pop3 = "127.0.0.1:0"
imap = "127.0.0.1:0"
http = "127.0.0.1:0"
[[relay.routes]]
domain = "*"
next_hop = "[127.0.0.1]:${server.smtp.split(":")[1]}"
tls = "none"
[web_mail]
show_protocol = true
`);
  execFileSync(bin, ["account", "add", "pia@crepes.example", "--config", config], { input: "s3cret" });
  const own = spawn(bin, ["serve", "--config", config, "--ready-file", ready], { stdio: ["ignore", "ignore", "inherit"] });
  try {
    for (let tries = 0; !existsSync(ready); tries += 1) {
      assert.ok(tries < 200 && own.exitCode === null, "the server became ready");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { http } = JSON.parse(readFileSync(ready, "utf8"));
    const context = await browser.newContext({ viewport: SIZES.wide });
    const page = await context.newPage();
    await page.goto(`http://${http}/mail/`);
    await page.getByLabel("Name").fill("pia@crepes.example");
    await page.getByLabel("Password").fill("s3cret");
    await page.keyboard.press("Enter");
    await follow(page, "Write");
    await page.getByLabel("To", { exact: true }).fill("quinn@hamburger.edu");
    await page.getByLabel("Subject").fill("Far away");
    await page.getByLabel("Text").fill("Text.");
    await press(page, "Send");
    await follow(page, "Show me the SMTP");
    assert.match(await page.textContent("#smtp"), /It waits for [^ ]+: it is tried in \d s\./);
    await page.locator("#smtp pre").nth(1).waitFor({ timeout: 15_000 });
    const said = await page.locator("#smtp pre").nth(1).textContent();
    for (const line of [/^# SMTP with /, /^S: 220 /m, /^C: EHLO crepes\.example$/m, /^C: MAIL FROM:<pia@crepes\.example>/m,
      /^C: RCPT TO:<quinn@hamburger\.edu>$/m, /^C: Subject: Far away$/m, /^S: 250 /m, /^# {2}RFC 5321 §/m]) assert.match(said, line);
    await shot(page, "webmail-smtp-relayed");
    assert.deepEqual(await serious(page), []);
    await page.setViewportSize(SIZES.narrow);
    await page.emulateMedia({ colorScheme: "dark" });
    await fits(page);
    await shot(page, "webmail-narrow-smtp");
    await context.close();
  } finally {
    own.kill("SIGTERM");
  }
  const quinn = await visit("quinn@hamburger.edu");
  await arrives(quinn.page, "Far away");
  await quinn.close();
});

test("check 15: HTML that means harm runs nothing and asks for nothing, and frame and policy alone hold too", async () => {
  const { asked, host, close: quiet } = await elsewhere();
  const letter = `From: Eve <eve@evil.example>\r\nSubject: News\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${attack(host).replace(/\n/g, "\r\n")}`;
  await deliver("dan@hamburger.edu", letter);
  const { context, page, close } = await visit("dan@hamburger.edu");
  const looked = async (name) => {
    await page.waitForTimeout(1500);
    assert.equal(await page.title(), "News", `${name}: nothing was run`);
    assert.deepEqual(asked, [], `${name}: nothing was asked for`);
    assert.equal(page.url(), at(`${INBOX}/1?as=html`));
    assert.equal(context.pages().length, 1);
  };
  await page.goto(at(`${INBOX}/1?as=html`));
  const frame = page.frameLocator("iframe");
  assert.match(await frame.locator("body").innerText(), /News of today/);
  assert.equal(await frame.locator("script, svg, form, iframe, object, video, base, link, [onload], [onerror], [srcset]").count(), 0);
  assert.match(await page.textContent("main"), /Remote content blocked \(1\)/);
  await looked("as it is");
  await shot(page, "webmail-html");
  assert.deepEqual((await serious(page)), []);

  // As if nothing had been taken out: the response has the letter's own HTML, and the headers that the server gave it.
  let bypassed = 0;
  await page.route("**/html", async (route) => {
    const response = await route.fetch();
    assert.equal(response.headers()["content-security-policy"],
      "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    bypassed += 1;
    await route.fulfill({ response, body: attack(host) });
  });
  await page.goto(at(`${INBOX}/1?as=html`));
  await frame.locator("svg").first().waitFor({ state: "attached" });
  assert.equal(bypassed, 1);
  await looked("with the sanitiser bypassed");
  await frame.locator("#js").click({ noWaitAfter: true });
  await frame.getByRole("button", { name: "Go" }).click({ noWaitAfter: true });
  await looked("with the sanitiser bypassed, and pressed");
  await close();
  quiet();
});

test("who has not signed in sees nothing, and pages of other origins do nothing", async () => {
  for (const path of [INBOX, `${INBOX}/1`, "/write", "/folders"]) {
    const response = await fetch(at(path), { redirect: "manual" });
    assert.equal(response.headers.get("location"), "/mail/login", path);
  }
  const type = { "Content-Type": "application/x-www-form-urlencoded" };
  const form = { method: "POST", redirect: "manual", headers: type };
  const foreign = await fetch(at("/login"), { ...form, headers: { ...type, Origin: "http://evil.example" }, body: "user=bob@hamburger.edu&password=any" });
  assert.equal(foreign.status, 403);
  const login = await fetch(at("/login"), { ...form, body: "user=zoe@hamburger.edu&password=any" });
  assert.match(login.headers.get("set-cookie"), /^visit=[0-9a-f]{32}; Path=\/mail\/; HttpOnly; SameSite=Strict$/);
  assert.match(login.headers.get("content-security-policy"), /default-src 'none'/);
  assert.equal(login.headers.get("cache-control"), "no-store");
  assert.equal((await fetch(at("/send"), { ...form, body: "x".repeat(300_000) })).status, 413);

  // With the cookie, and from another origin all the same: a browser would not even show the cookie.
  const Cookie = login.headers.get("set-cookie").split(";")[0];
  const make = (headers) => fetch(at("/folders"), { ...form, headers: { ...type, Cookie, ...headers }, body: "act=create&name=Made" });
  assert.equal((await make({ Origin: "http://evil.example" })).status, 403);
  assert.equal((await make({ Origin: "null" })).status, 403);
  const folders = async () => (await fetch(at("/folders"), { headers: { Cookie } })).text();
  assert.doesNotMatch(await folders(), /Made/);
  assert.equal((await make({ Origin: `http://${server.http}` })).status, 303);
  assert.match(await folders(), /Made/);
});

test("a page of another site cannot have a browser act for who is signed in", async () => {
  const { page, close } = await visit("fay@hamburger.edu");
  const port = new URL(at("/")).port;
  const evil = createServer((_, response) => response.setHeader("Content-Type", "text/html").end(`<form method=post action="http://127.0.0.1:${port}/mail/folders">
    <input name=act value=create><input name=name value=Stolen></form><script>document.forms[0].submit()</script>`));
  await new Promise((resolve) => evil.listen(0, "localhost", resolve));
  await page.goto(`http://localhost:${evil.address().port}/`);
  await page.waitForURL(at("/folders"));
  await page.goto(at("/folders"));
  assert.doesNotMatch(await page.textContent("main"), /Stolen/);
  await close();
  evil.close();
});
