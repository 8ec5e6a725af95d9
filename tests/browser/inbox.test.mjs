// The inbox of the running server: all mail that it caught, as it comes, by mouse and by keys.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { attack, elsewhere } from "./attack.mjs";
import { SIZES, THEMES, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });
beforeEach(() => call("POST", "/api/reset"));

const at = (path) => `http://${server.http}${path}`;
const call = async (method, path, body) => {
  const response = await fetch(at(path), { method, body: body && JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
};
const waits = (query) => call("GET", `/api/wait?${query}&timeout=10s`);

/** Hands letters over by SMTP, one after the other in one conversation. */
const deliver = (...letters) => new Promise((resolve, reject) => {
  const [host, port] = server.smtp.split(":");
  const socket = connect(Number(port), host);
  const each = letters.flatMap(([to, text]) => ["MAIL FROM:<shop@crepes.fr>", `RCPT TO:<${to}>`, "DATA", `${text}\r\n.`]);
  const said = ["EHLO test.example", ...each, "QUIT"];
  let heard = "";
  socket.setEncoding("latin1").on("error", reject).on("end", resolve);
  socket.on("data", (more) => {
    heard += more;
    if (!/^\d{3} .*\r\n$/m.test(heard)) return;
    heard = "";
    if (said.length > 0) socket.write(`${said.shift()}\r\n`);
  });
});
const letter = (to, subject, rest = "\r\nHello.") => [to, `From: Shop <shop@crepes.fr>\r\nTo: ${to}\r\nSubject: ${subject}\r\n${rest}`];

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const RICH = [
  "MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="m"', "",
  "--m", 'Content-Type: multipart/related; boundary="r"', "",
  "--r", 'Content-Type: multipart/alternative; boundary="a"', "",
  "--a", "Content-Type: text/plain; charset=utf-8", "", "Your code is 482913. Go to https://shop.test/reset/1.", "",
  "--a", "Content-Type: text/html; charset=utf-8", "",
  '<h1>Set a new password</h1><p>Your code is <b>482913</b>.</p><p><a href="https://shop.test/reset/1">Reset</a></p>',
  '<img src="cid:dot" alt="dot" width=20 height=20><img src="https://tracker.test/x.png" alt=""><script>top.document.title="bad"</script>', "",
  "--a--", "--r", "Content-Type: image/png", "Content-ID: <dot>", "Content-Transfer-Encoding: base64", "", PIXEL, "", "--r--",
  "--m", "Content-Type: text/html; name=invoice.html", "Content-Disposition: attachment; filename=invoice.html", "", "<script>alert(1)</script>", "", "--m--",
].join("\r\n");

async function visit(path = "/inbox/", { size = SIZES.wide, ...more } = {}) {
  const context = await browser.newContext({ viewport: size, acceptDownloads: true, permissions: ["clipboard-read", "clipboard-write"], ...more });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  // A conversation that is not kept is answered by 404, which the browser writes down.
  const isUnkept = (message) => /\/api\/sessions|\/annotations$/.test(message.location().url);
  page.on("console", (message) => message.type() === "error" && !isUnkept(message) && wrong.push(message.text()));
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== "data:" && host !== server.http) wrong.push(`asked ${request.url()}`);
  });
  await page.goto(at(path));
  await page.locator("#live.good").waitFor();
  return { page, wrong, close: () => context.close() };
}

const rows = (page) => page.locator("#list li");
const subjects = (page) => page.$$eval("#list .subject", (all) => all.map((one) => one.textContent.trim()));
const until = async (page, script, argument) => page.waitForFunction(script, argument, { timeout: 10_000 });
const title = (page, text) => page.locator("#letter > h2", { hasText: text }).waitFor();
const tab = (page, name) => page.getByRole("tab", { name, exact: true }).click();

test("an empty inbox says how to send here, and what is sent comes by itself", async () => {
  const { page, wrong, close } = await visit("/");
  assert.equal(page.url(), at("/inbox/"));
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  const port = server.smtp.split(":")[1];
  const names = await page.locator("[aria-label='Languages and programs'] button").allTextContents();
  assert.deepEqual(names, ["swaks", "curl", "Python", "Node", "Java", "Laravel", "PHP", "Ruby", "Go", "Django"]);
  for (const name of names) {
    await page.getByRole("button", { name, exact: true }).click();
    assert.match(await page.locator("#sample pre").textContent(), new RegExp(`\\b${port}\\b`), name);
  }
  // What it says is what works. All is read first: with the first letter the page shows a list instead.
  const sample = async (name) => {
    await page.getByRole("button", { name, exact: true }).click();
    return page.locator("#sample pre").textContent();
  };
  const [swaks, curl, python] = [await sample("swaks"), await sample("curl"), await sample("Python")];
  execFileSync("sh", ["-c", swaks]);
  execFileSync("sh", ["-c", curl], { stdio: "ignore" });
  execFileSync("python3", ["-c", python]);
  await waits("to=ann@example.test&subject=Hello&count=3");
  await until(page, () => document.querySelectorAll("#list li").length === 3);
  await call("POST", "/api/reset");
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  await sample("Django");
  await page.getByRole("button", { name: "Copy: Django" }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /EMAIL_PORT = \d+/);
  await deliver(letter("ann@hamburger.edu", "Welcome"), letter("bob@elsewhere.test", "For Bob"));
  await until(page, () => document.querySelectorAll("#list li.unread").length === 2);
  assert.deepEqual(await subjects(page), ["For Bob", "Welcome"]);
  assert.match(await page.title(), /^\(2\) Inbox/);
  await until(page, () => document.querySelector("link[rel=icon]").href.startsWith("data:image/png"));
  await rows(page).nth(1).getByRole("link").click();
  await title(page, "Welcome");
  await until(page, () => document.title.startsWith("(1) Welcome"));
  await until(page, () => document.querySelectorAll("#list li.unread").length === 1);
  assert.deepEqual(wrong, []);
  await close();
});

test("a message is seen in every way, and what strangers wrote does nothing", async () => {
  await deliver(letter("ann@hamburger.edu", "Reset <b>now</b> =?utf-8?q?=E2=80=AEgnp=2Eexe?=", RICH));
  const { messages: [{ ID }] } = await waits("to=ann@hamburger.edu");
  const { page, wrong, close } = await visit(`/inbox/${ID}`);
  assert.equal(new URL(page.url()).hash, `#/message/${ID}`);
  await title(page, "Reset <b>now</b> U+202Egnp.exe");
  assert.equal(await page.locator("h2 b").count(), 0);
  const frame = page.frameLocator("#panel iframe");
  await frame.getByRole("heading", { name: "Set a new password" }).waitFor();
  assert.equal(await page.locator("#panel iframe").getAttribute("sandbox"), "allow-popups allow-popups-to-escape-sandbox");
  assert.equal(await frame.locator("img[alt=dot]").evaluate((image) => image.naturalWidth), 1);
  assert.equal(await frame.locator("script").count(), 0);
  await page.getByText("Pictures from elsewhere are not loaded.").waitFor();
  const wide = async () => Math.round((await page.locator("#panel iframe").boundingBox()).width);
  await page.getByRole("button", { name: "Phone" }).click();
  // It gets there in a fifth of a second, or what the machine makes of that.
  await until(page, () => Math.round(document.querySelector("#panel iframe").getBoundingClientRect().width) === 390);
  assert.equal(await wide(), 390);
  await page.getByRole("button", { name: "Full" }).click();
  const panel = page.locator("#panel");
  for (const [name, shown] of [
    ["Text", /Your code is 482913/], ["HTML source", /<script>top\.document/], ["Headers", /Subject[\s\S]*Reset/],
    ["Structure", /multipart\/mixed[\s\S]*multipart\/related[\s\S]*multipart\/alternative[\s\S]*text\/plain[\s\S]*image\/png/],
    ["Raw", /--m--/], ["Protocol", /Received[\s\S]*with ESMTP|C: EHLO/],
  ]) {
    await tab(page, name);
    await panel.filter({ hasText: shown }).waitFor();
    assert.deepEqual(await serious(page), [], name);
    await shot(page, `inbox-${name.toLowerCase().replace(" ", "-")}`);
  }
  assert.equal(await page.locator(".codes pre").first().textContent(), "482913");
  assert.equal(await page.getByRole("link", { name: "https://shop.test/reset/1", exact: true }).getAttribute("rel"), "noopener noreferrer");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "invoice.html" }).click()]);
  assert.equal(download.suggestedFilename(), "invoice.html");
  assert.equal(page.context().pages().length, 1);
  assert.deepEqual(wrong, []);
  await close();
});

test("the conversation that brought a message stands there with its rules", async () => {
  await deliver(letter("ann@hamburger.edu", "Talk"));
  const { messages: [{ ID }] } = await waits("to=ann@hamburger.edu");
  const { page, wrong, close } = await visit("/inbox/");
  const data = Array.from({ length: 30 }, (_, at) => `line ${at}\r\n`).join("");
  const rule = { rfc: 5321, section: "4.1.1.1", gist: "A client begins with EHLO." };
  const said = [
    { parts: [{ S: "220 ready\r\n" }] },
    { parts: [{ C: "EHLO x" }, { span: "verb", side: "C", from: 0, to: 4, ...rule }] },
    { parts: [{ C: "\r\n" }, { S: "250 a\r\n" }] },
    { parts: [{ C: `${data}.\r\n` }, { S: "250 \u001b taken\r\n" }] },
  ];
  await page.route("**/annotations", (route) => route.fulfill({ json: { id: "7", protocol: "smtp", peer: "127.0.0.1:9", is_whole: true, said } }));
  await page.goto(at(`/inbox/#/message/${ID}`));
  await title(page, "Talk");
  await tab(page, "Protocol");
  const lines = page.locator("#panel > .said > li");
  await lines.first().waitFor();
  const texts = await lines.allTextContents();
  assert.deepEqual(texts.slice(0, 3), ["S: 220 ready", "C: EHLO xRFC 5321 §4.1.1.1: A client begins with EHLO.", "S: 250 a"]);
  assert.match(texts[9], /^23 more lines/);
  assert.equal(texts.at(-1), "S: 250 U+001B taken");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await shot(page, "inbox-conversation");
  await close();
});

test("HTML that attacks is not let through by either wall", async () => {
  const far = await elsewhere();
  const html = attack(far.host).replace(/\r?\n/g, "\r\n");
  await deliver(letter("ann@hamburger.edu", "Attack", `MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${html}`));
  const { messages: [{ ID }] } = await waits("to=ann@hamburger.edu&subject=Attack");
  const response = await fetch(at(`/inbox/html/${ID}`));
  assert.match(response.headers.get("content-security-policy"), /^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
  assert.doesNotMatch(await response.text(), /<script|onerror=|javascript:/i);
  // Pictures from elsewhere are for who asks for them, and nothing else is.
  const remote = await fetch(at(`/inbox/html/${ID}?remote=1`));
  assert.match(remote.headers.get("content-security-policy"), /^sandbox [a-z -]+; default-src 'none'; style-src 'unsafe-inline'; img-src data: https:$/);
  assert.equal((await fetch(at("/inbox/html/999999"))).status, 404);
  const { page, wrong, close } = await visit(`/inbox/#/message/${ID}`);
  await title(page, "Attack");
  await page.waitForTimeout(500);
  assert.match(await page.title(), /^Attack · Inbox/);
  assert.deepEqual(wrong.filter((line) => line.startsWith("asked")), []);
  assert.deepEqual(far.asked, []);
  far.close();
  await close();
});

test("by keys: next, previous, choose, tag, unread, search, delete, help", async () => {
  await deliver(...["One", "Two", "Three", "Four"].map((subject) => letter("ann@hamburger.edu", subject)));
  await waits("to=ann@hamburger.edu&count=4");
  const { page, wrong, close } = await visit();
  await rows(page).nth(3).waitFor();
  await page.keyboard.press("j");
  await title(page, "Four");
  await page.keyboard.press("j");
  await title(page, "Three");
  await page.keyboard.press("k");
  await title(page, "Four");
  await page.keyboard.press("u");
  await until(page, () => document.querySelectorAll("#list li.unread").length === 3);
  await page.keyboard.press("t");
  await page.getByLabel(/^Tag:/).fill("slow");
  await page.keyboard.press("Enter");
  await page.locator("#list .tag", { hasText: "slow" }).waitFor();
  await page.locator("#tags .tag", { hasText: "slow" }).waitFor();
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await title(page, "Three");
  await page.keyboard.press("x");
  assert.equal(await page.locator("#chosen").textContent(), "2 chosen");
  await page.keyboard.press("#");
  await page.getByRole("heading", { name: "Delete 2 messages?" }).waitFor();
  assert.deepEqual(await serious(page), []);
  await page.keyboard.press("Enter");
  await until(page, () => document.querySelectorAll("#list li").length === 2);
  assert.deepEqual(await subjects(page), ["Two", "One"]);
  await page.keyboard.press("/");
  await page.keyboard.type("subject:one");
  await until(page, () => document.querySelector("#chosen").textContent === "1 found");
  assert.match(page.url(), /\?q=subject%3Aone$/);
  await page.locator("#query").fill("is:nothing");
  await page.locator("#wrong", { hasText: "is:read, is:unread and is:tagged" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keys" }).waitFor();
  await page.getByLabel("Single letters do this").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  assert.equal(await page.locator("dialog[open]").count(), 0);
  assert.deepEqual(wrong.filter((line) => !line.includes("400")), []);
  await close();
});

test("what is chosen, all, and Reset", async () => {
  await deliver(...["One", "Two", "Three"].map((subject) => letter("ann@hamburger.edu", subject)));
  await waits("to=ann@hamburger.edu&count=3");
  const { page, close } = await visit();
  await rows(page).nth(2).waitFor();
  await rows(page).nth(0).getByRole("checkbox").click();
  await rows(page).nth(2).getByRole("checkbox").click({ modifiers: ["Shift"] });
  assert.equal(await page.locator("#chosen").textContent(), "3 chosen");
  await page.getByRole("button", { name: "Read", exact: true }).click();
  await until(page, () => document.querySelectorAll("#list li.unread").length === 0);
  await page.getByRole("button", { name: "Unread", exact: true }).click();
  await until(page, () => document.querySelectorAll("#list li.unread").length === 3);
  await rows(page).nth(1).getByRole("checkbox").click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.locator("#yes").click();
  await until(page, () => document.querySelectorAll("#list li").length === 1);
  await deliver(letter("eve@x.test", "Later"));
  await rows(page).nth(1).waitFor();
  await page.getByRole("button", { name: "Delete all" }).click();
  await page.locator("#yes").click();
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  await deliver(letter("eve@x.test", "Last"));
  await rows(page).first().waitFor();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.locator("#yes").click();
  await page.getByRole("heading", { name: "No mail yet" }).waitFor();
  await close();
});

test("ten thousand messages are a window, and the last one is a key away", async () => {
  const all = Array.from({ length: 2500 }, (_, at) => letter("ann@hamburger.edu", `Number ${at}`));
  await Promise.all([0, 1, 2, 3].map(() => deliver(...all)));
  const { page, wrong, close } = await visit();
  await until(page, () => document.querySelector("#chosen").textContent === "10000 messages");
  assert.ok(await rows(page).count() < 60);
  const began = performance.now();
  await page.evaluate(() => { document.getElementById("window").scrollTop = 1e9; });
  await page.locator("#list li[aria-posinset='10000']").waitFor();
  assert.ok(performance.now() - began < 2000, "scrolling waits for little");
  await page.getByRole("checkbox", { name: "10000 messages" }).click();
  await until(page, () => document.querySelector("#chosen").textContent === "10000 chosen");
  assert.deepEqual(wrong, []);
  await close();
});

test("three themes, two sizes: nothing serious, nothing too wide", async () => {
  await deliver(
    letter("ann@hamburger.edu", "Your invoice for November"), letter("bob@elsewhere.test", "Welcome to the shop, and everything that there is to know about it"),
    letter("carol@hamburger.edu", "Set a new password", RICH), letter("dora@test", "", "\r\nNo subject here."));
  const { messages: [{ ID }] } = await waits("to=carol@hamburger.edu");
  const { messages: [bob] } = await waits("to=bob@elsewhere.test");
  await fetch(at("/api/v1/tags"), { method: "PUT", body: JSON.stringify({ IDs: [bob.ID], Tags: ["slow", "checkout"] }) });
  for (const theme of THEMES) {
    for (const [name, size] of Object.entries(SIZES)) {
      const looks = { size, colorScheme: theme === "dark" ? "dark" : "light", contrast: theme === "contrast" ? "more" : "no-preference", reducedMotion: "reduce" };
      const { page, wrong, close } = await visit("/inbox/", looks);
      const check = async (what) => {
        assert.deepEqual(await serious(page), [], `${what}, ${theme}, ${name}`);
        const { scroll, wide } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, wide: innerWidth }));
        assert.ok(scroll <= wide, `${what}, ${theme}, ${name}: ${scroll} in ${wide}`);
        await shot(page, `inbox-${what}-${theme}-${name}`);
      };
      await rows(page).nth(3).waitFor();
      await check("list");
      await page.goto(at(`/inbox/#/message/${ID}`));
      await title(page, "Set a new password");
      await page.frameLocator("#panel iframe").getByRole("heading").waitFor();
      await page.locator(".codes").waitFor();
      await check("message");
      await page.goto(at("/inbox/#/"));
      await page.locator("#query").fill("nowhere");
      await page.getByRole("heading", { name: "Nothing was found" }).waitFor();
      await check("search");
      assert.deepEqual(wrong, []);
      await close();
    }
  }
  await call("POST", "/api/reset");
  for (const [name, size] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, close } = await visit("/inbox/", { size, colorScheme });
      await page.getByRole("heading", { name: "No mail yet" }).waitFor();
      assert.deepEqual(await serious(page), []);
      await shot(page, `inbox-empty-${colorScheme}-${name}`);
      await close();
    }
  }
});
