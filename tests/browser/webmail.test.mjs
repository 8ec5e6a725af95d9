// Web mail as the running server serves it: from signing in to deleting, by keyboard and mouse, with letters by SMTP.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { SIZES, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const at = (path) => `http://${server.http}/mail${path}`;

/** Hands a letter over by SMTP. */
const deliver = (to, text) => new Promise((resolve, reject) => {
  const [host, port] = server.smtp.split(":");
  const socket = connect(Number(port), host);
  const said = ["EHLO test.example", "MAIL FROM:<alice@crepes.fr>", `RCPT TO:<${to}>`, "DATA", `${text}\r\n.`, "QUIT"];
  socket.setEncoding("latin1").on("error", reject).on("end", resolve);
  socket.on("data", (heard) => { if (/^\d{3} /m.test(heard) && said.length > 0) socket.write(`${said.shift()}\r\n`); });
});

async function visit(name, size = SIZES.wide) {
  const context = await browser.newContext({ viewport: size, colorScheme: name.startsWith("dark") ? "dark" : "light" });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  await page.goto(at("/"));
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("any");
  await page.keyboard.press("Enter");
  await page.waitForURL(at("/inbox"));
  return { page, wrong, close: () => context.close() };
}

test("a letter is read, answered by another and deleted, and what it says is never a tag", async () => {
  await deliver("bob@hamburger.edu", "From: Alice <alice@crepes.fr>\r\nTo: bob@hamburger.edu\r\nSubject: <b>Lunch</b> & more\r\n\r\n<script>document.title = 1</script>");
  const { page, wrong, close } = await visit("bob@hamburger.edu");
  assert.match(await page.textContent("ol"), /<b>Lunch<\/b> & more from Alice <alice@crepes\.fr>, unread/);
  await shot(page, "webmail-inbox");
  assert.deepEqual(await serious(page), []);
  await page.getByText("Lunch").click();
  assert.equal(await page.textContent("pre"), "<script>document.title = 1</script>\n");
  assert.equal(await page.locator("pre script").count(), 0);
  assert.equal(await page.title(), "<b>Lunch</b> & more");
  await shot(page, "webmail-message");
  assert.deepEqual(await serious(page), []);
  await page.getByRole("link", { name: "Write" }).click();
  assert.deepEqual(await serious(page), []);
  await page.getByLabel("Text").fill("Crème brûlée?\n.\n");
  await page.getByRole("button", { name: "Send" }).click();
  assert.match(await page.textContent("body"), /Say to whom it goes\./);
  assert.equal((await page.getByLabel("Text").inputValue()).trim(), "Crème brûlée?\n.");
  await page.getByLabel("To").fill("carol@hamburger.edu");
  await page.getByLabel("Subject").fill("Lunch");
  await page.getByRole("button", { name: "Send" }).click();
  await page.waitForURL(at("/sent"));
  await page.getByRole("link", { name: "Inbox" }).click();
  assert.match(await page.textContent("ol"), /, read/);
  await page.getByText("Lunch").click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.waitForURL(at("/inbox"));
  assert.match(await page.textContent("body"), /No messages\./);
  assert.deepEqual(wrong.filter((line) => !line.includes("422")), []);
  await close();

  const carol = await visit("carol@hamburger.edu", SIZES.narrow);
  await carol.page.getByText("Lunch").click();
  assert.match(await carol.page.textContent("pre"), /Crème brûlée\?\n\.\n/);
  const { scroll, wide } = await carol.page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, wide: innerWidth }));
  assert.ok(scroll <= wide, `${scroll} in ${wide}`);
  await shot(carol.page, "webmail-narrow");
  await carol.close();
});

test("who has not signed in sees nothing, and pages of other origins do nothing", async () => {
  for (const path of ["/inbox", "/message/1", "/compose"]) {
    const response = await fetch(at(path), { redirect: "manual" });
    assert.equal(response.headers.get("location"), "/mail/login", path);
  }
  const form = { method: "POST", redirect: "manual", headers: { "Content-Type": "application/x-www-form-urlencoded" } };
  const foreign = await fetch(at("/login"), { ...form, headers: { ...form.headers, Origin: "http://evil.example" }, body: "user=bob@hamburger.edu&password=any" });
  assert.equal(foreign.status, 403);
  const login = await fetch(at("/login"), { ...form, body: "user=bob@hamburger.edu&password=any" });
  assert.match(login.headers.get("set-cookie"), /^visit=[0-9a-f]{32}; Path=\/mail\/; HttpOnly; SameSite=Strict$/);
  assert.match(login.headers.get("content-security-policy"), /default-src 'none'/);
  assert.equal(login.headers.get("cache-control"), "no-store");
  assert.equal((await fetch(at("/send"), { ...form, body: "x".repeat(300_000) })).status, 413);
});
