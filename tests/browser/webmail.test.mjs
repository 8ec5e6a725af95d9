// Web mail as the running server serves it: from signing in to deleting, by keyboard and mouse, with letters by SMTP.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
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

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const follow = (page, name) => page.getByRole("link", { name, exact: true }).first().click();
/** Nothing is wider than the screen. */
const fits = async (page) => {
  const { scroll, wide } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, wide: innerWidth }));
  assert.ok(scroll <= wide, `${scroll} in ${wide}`);
};

test("a letter is read, answered by another and deleted, and what it says is never a tag", async () => {
  await deliver("bob@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: <b>Lunch</b> & more\r\n\r\n<script>document.title = 1</script>");
  const { page, wrong, close } = await visit("bob@hamburger.edu");
  assert.match(await page.textContent("ol"), /<b>Lunch<\/b> & more from Alice, .*, unread/);
  await shot(page, "webmail-inbox");
  assert.deepEqual(await serious(page), []);
  await page.getByText("Lunch").click();
  assert.equal((await page.textContent("pre")).trim(), "<script>document.title = 1</script>");
  assert.equal(await page.locator("pre script").count(), 0);
  assert.equal(await page.title(), "<b>Lunch</b> & more");
  await shot(page, "webmail-message");
  assert.deepEqual(await serious(page), []);
  await follow(page, "Write");
  assert.deepEqual(await serious(page), []);
  await page.getByLabel("Text").fill("Crème brûlée?\n.\n");
  await press(page, "Send");
  assert.match(await page.textContent("body"), /Say to whom it goes\./);
  assert.equal((await page.getByLabel("Text").inputValue()).trim(), "Crème brûlée?\n.");
  await page.getByLabel("To", { exact: true }).fill("carol@hamburger.edu");
  await page.getByLabel("Subject").fill("Lunch");
  await press(page, "Send");
  await page.waitForURL(at("/sent"));
  await follow(page, "Inbox");
  assert.doesNotMatch(await page.textContent("ol"), /, unread/);
  await page.getByText("Lunch").click();
  await press(page, "Delete");
  await page.waitForURL(at(INBOX));
  assert.match(await page.textContent("body"), /1 message moved to Trash\.[\s\S]*No messages\./);
  assert.deepEqual(wrong.filter((line) => !line.includes("422")), []);
  await close();

  const carol = await visit("carol@hamburger.edu", SIZES.narrow, "dark");
  await fits(carol.page);
  await shot(carol.page, "webmail-narrow-inbox");
  await carol.page.getByText("Lunch").click();
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
  assert.match(await ben.page.textContent("ol"), /Menu for Friday from ann@crepes\.fr, .*with files, unread/);
  await ben.page.getByText("Menu for Friday").click();
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
  await ben.page.getByText("Menu for Friday").click();
  await follow(ben.page, "Go on writing");
  await ben.page.getByLabel("Text").fill("I'll come.");
  await press(ben.page, "Send");
  await ben.page.waitForURL(at("/sent"));
  await follow(ben.page, "Inbox");
  assert.match(await ben.page.textContent("ol"), /, answered/);
  await ben.page.getByText("Menu for Friday").click();
  assert.match(await ben.page.textContent(".thread"), /Menu for Friday from ann@crepes\.fr[\s\S]*Re: Menu for Friday from ben@hamburger\.edu, .*in Sent/);
  await shot(ben.page, "webmail-thread");
  assert.deepEqual(await serious(ben.page), []);

  await ann.page.goto(at(INBOX));
  await ann.page.getByText("Re: Menu for Friday").click();
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
  for (const box of await ann.page.getByRole("checkbox").all()) {
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
  assert.doesNotMatch(await ann.page.textContent("main"), /Menus\/2026/);
  await shot(ann.page, "webmail-folders");
  assert.deepEqual(await serious(ann.page), []);
  assert.deepEqual([...ann.wrong, ...ben.wrong], []);
  await ann.close();
  await ben.close();
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
