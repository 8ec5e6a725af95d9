// Live: the bridge to the running server and the stream of its conversations; who may use them, and what the page shows.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { SIZES, THEMES, lines, live, open, openPrinted, printed, row, rest, serious, shot, startBrowser, startServer, talk, there } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const port = () => Number(server.http.split(":")[1]);
const own = () => `http://${server.http}`;

/** The first line of the answer to octets sent to the server's HTTP port. */
const raw = (text) => new Promise((resolve, reject) => {
  const socket = connect(port(), "127.0.0.1", () => socket.write(text));
  let heard = "";
  socket.setTimeout(5000, () => { socket.destroy(); resolve(heard.split("\r\n")[0]); });
  socket.on("data", (octets) => { heard += octets.toString("latin1"); if (heard.includes("\r\n\r\n")) { socket.destroy(); resolve(heard.split("\r\n")[0]); } });
  socket.on("end", () => resolve(heard.split("\r\n")[0])).on("error", reject);
});

/** A WebSocket handshake as somebody might try it. */
function handshake(target, { host = server.http, origin = own(), more = [], protocol = "pillarbox.v1" } = {}) {
  const fields = [
    ...[host].flat().filter((one) => one !== null).map((one) => `Host: ${one}`),
    ...[origin].flat().filter((one) => one !== null).map((one) => `Origin: ${one}`),
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []), ...more,
  ];
  return raw(`GET ${target} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
}

const tcp = "/bridge/tcp?service=";

test("the bridge is opened by the own page, for a service by its name", async () => {
  for (const service of ["smtp", "pop3", "imap"]) {
    assert.match(await handshake(tcp + service), /^HTTP\/1\.1 101 /, service);
  }
  const other = `localhost:${port()}`;
  assert.match(await handshake(`${tcp}smtp`, { host: other, origin: `http://${other}` }), /^HTTP\/1\.1 101 /);
});

test("more than 40 forms of asking it for another host, or from another origin, are refused", async () => {
  const forms = [
    ...["evil.example:25", "evil.example", "10.0.0.1:25", "127.0.0.1:22", "127.0.0.1:25", "[::1]:25", "localhost", "localhost:25",
      "smtp@evil.example", "smtp:25", "smtp.evil.example", "//evil.example", "http://evil.example", "tcp://evil.example:25",
      "SMTP", "smtp%00", "smtp%20", "smtp%40evil.example", "smtp/../../evil", "http", "submissions", "", "*", "smtp,imap",
      "smtp&host=evil.example", "smtp&port=25", "smtp&service=evil.example:25", "smtp;host=evil.example", "smtp+evil"]
      .map((name) => [tcp + name, {}]),
    ["/bridge/tcp", {}], ["/bridge/tcp?host=evil.example&port=25", {}], ["/bridge/tcp?host=evil.example&service=smtp", {}],
    ["/bridge/tcp?Service=smtp", {}], ["/bridge/tcp/evil.example/25", {}], ["/bridge/evil.example:25", {}], ["/bridge/listen?port=25", {}],
    [`http://evil.example${tcp}smtp`, {}], [`http://${server.http}.evil.example${tcp}smtp`, {}], ["evil.example:25", {}],
    ...["http://evil.example", "null", "", "http://127.0.0.1", "http://127.0.0.1:1", `https://${server.http}`, `http://localhost:${port()}`,
      `http://${server.http}.evil.example`, `http://evil.example/${server.http}`, `http://user@${server.http}`, `http://${server.http}/`,
      `HTTP://${server.http}`, "file://", "chrome-extension://abc", [own(), "http://evil.example"], null]
      .map((origin) => [`${tcp}smtp`, { origin }]),
    ...["evil.example", `evil.example:${port()}`, "127.0.0.1", "127.0.0.1:80", `127.0.0.1.evil.example:${port()}`, `0.0.0.0:${port()}`,
      [server.http, "evil.example"], `${server.http}, evil.example`, null]
      .map((host) => [`${tcp}smtp`, { host, origin: `http://${[host].flat()[0]}` }]),
    [`${tcp}smtp`, { protocol: "" }], [`${tcp}smtp`, { protocol: "pillarbox.v2" }], [`${tcp}smtp`, { protocol: "chat" }],
    [`${tcp}smtp`, { host: "evil.example", more: [`X-Forwarded-Host: ${server.http}`] }],
  ];
  assert.ok(forms.length > 40, `${forms.length}`);
  for (const [target, how] of forms) {
    const answer = await handshake(target, how);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, `${target} ${JSON.stringify(how)} → ${answer}`);
  }
  console.log(`  ${forms.length} forms are refused`);
});

test("a page of another origin can use neither bridge nor API; the own page not without the token", async () => {
  const elsewhere = createServer((_, answer) => { answer.setHeader("content-type", "text/html"); answer.end("<!doctype html><title>elsewhere</title>"); });
  await new Promise((done) => elsewhere.listen(0, "127.0.0.1", done));
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
  const tried = await page.evaluate(async ({ host }) => {
    const socket = (path, protocol) => new Promise((done) => {
      const socket = new WebSocket(`ws://${host}${path}`, protocol);
      socket.onopen = () => done("open");
      socket.onclose = (event) => done(`closed ${event.code}`);
    });
    const ask = (path, options) => fetch(`http://${host}${path}`, options).then((answer) => `read ${answer.type} ${answer.status}`, () => "blocked");
    return {
      bridge: await socket("/bridge/tcp?service=smtp", "pillarbox.v1"), stream: await socket("/api/stream"),
      faults: await ask("/api/faults"), write: await ask("/api/faults", { method: "POST", mode: "no-cors", body: "any/always/drop" }),
      put: await ask("/api/faults", { method: "PUT", body: "any/always/drop" }), events: await ask("/api/stream"),
    };
  }, { host: server.http });
  assert.deepEqual({ ...tried, write: "" }, { bridge: "closed 1006", stream: "closed 1006", faults: "blocked", write: "", put: "blocked", events: "blocked" });
  const faults = await new Promise((done) => request(`${own()}/api/faults`, (answer) => { let text = ""; answer.on("data", (part) => { text += part; }).on("end", () => done(text)); }).end());
  assert.deepEqual(JSON.parse(faults).faults, [], "what it wrote was not taken");
  await context.close();
  elsewhere.close();
  // Of the own origin, but with a guess for a token.
  const mine = await open(browser, server);
  const closed = await mine.page.evaluate((host) => Promise.all(["/bridge/tcp?service=smtp", "/api/stream"].flatMap((path) =>
    ["", "0".repeat(32), "0".repeat(64)].map((token) => new Promise((done) => {
      const socket = new WebSocket(`ws://${host}${path}`, path.startsWith("/bridge") ? "pillarbox.v1" : []);
      socket.onopen = () => socket.send(token);
      socket.onmessage = () => done("served");
      socket.onclose = (event) => done(event.code);
    })))), server.http);
  assert.deepEqual(closed, Array(6).fill(4001));
  await mine.close();
});

test("programs watch with the token of the ready file, and not without", async () => {
  assert.match(await raw(`GET /api/stream HTTP/1.1\r\nHost: ${server.http}\r\n\r\n`), / 401 /);
  assert.match(await raw(`GET /api/stream HTTP/1.1\r\nHost: ${server.http}\r\nAuthorization: Bearer ${"0".repeat(32)}\r\n\r\n`), / 401 /);
  const heard = await new Promise((done, failed) => {
    const asked = request(`${own()}/api/stream`, { headers: { authorization: `Bearer ${server.token}` } }, (answer) => {
      assert.equal(answer.headers["content-type"], "text/event-stream");
      let text = "";
      answer.on("data", (part) => {
        text += part;
        if (text.includes('"closed"')) { asked.destroy(); done(text); }
      });
      talk(server.pop3, ["USER bob@hamburger.edu", "PASS s3cr3t-word", "QUIT"]).catch(failed);
    });
    asked.on("error", (error) => error.code === "ECONNRESET" || failed(error)).end();
  });
  assert.match(heard, /^data: \{[^\n]*"what":"hello"/);
  const { run } = JSON.parse(heard.split("\n")[0].slice(6));
  assert.match(heard, new RegExp(`id: ${run}\\.\\d+\\ndata: \\{`));
  assert.match(heard, /USER bob@hamburger\.edu/);
  assert.match(heard, /"span":"verb"/);
  assert.ok(!heard.includes("s3cr3t-word"), "the password leaves the server");
});

test("what a program says to the server appears within a second, octet by octet, its password masked", async () => {
  const { page, wrong, close } = await live(browser, server);
  await shot(page, "live-empty");
  // The best of three: what other programs do meanwhile is not the page's.
  const times = [];
  for (let before = 0; before < 3; before += 1) {
    const begun = Date.now();
    const done = talk(server.smtp, ["EHLO test.example", "MAIL FROM:<ann@test.example>", "RCPT TO:<bob@hamburger.edu>", "QUIT"]);
    await page.waitForFunction((before) => document.querySelectorAll(".talk").length > before, before);
    times.push(Date.now() - begun);
    await done;
    await page.waitForFunction((before) => [...document.querySelectorAll(".talk")].filter((one) => one.textContent.includes("221")).length > before, before);
  }
  console.log(`  shown after ${times.join(", ")} ms`);
  assert.ok(Math.min(...times) < 1000, `${times} ms`);
  await row(page, "221").click();
  const said = await lines(page);
  assert.ok(said.includes("C: RCPT TO:<bob@hamburger.edu>"), said.join("\n"));
  assert.match(said[0], /^S: 220 /);
  await page.locator(".line", { hasText: "RCPT TO" }).locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.3" }).waitFor();
  assert.match(await page.locator(".tree").innerText(), /local part/);
  await shot(page, "live-smtp");
  await talk(server.pop3, ["USER bob@hamburger.edu", "PASS s3cr3t-word", "QUIT"]);
  await row(page, "POP3").click();
  await page.locator(".line.client", { hasText: "PASS" }).waitFor();
  assert.ok(!(await page.content()).includes("s3cr3t-word"), "the password stands in the page");
  assert.deepEqual(wrong, []);
  await close();
});

test("the page's own client sends a mail to the real server and reads it back, over the bridge", async () => {
  const { page, wrong, close } = await live(browser, server);
  await page.getByRole("button", { name: /Send a mail/ }).click();
  await page.locator("dialog[open]").getByLabel("To").fill("carol@hamburger.edu");
  await page.locator("dialog[open]").getByLabel("Subject").fill("Over the bridge");
  await page.locator("dialog[open]").getByRole("button", { name: "Send" }).click();
  await row(page, "this page").waitFor();
  await page.locator(".line", { hasText: "Subject: Over the bridge" }).waitFor();
  await row(page, "221").waitFor();
  assert.ok((await lines(page)).some((line) => /^S: 250 .*accepted/i.test(line)), (await lines(page)).join("\n"));
  await shot(page, "live-sent");
  for (const way of ["By POP3", "By IMAP"]) {
    await page.getByRole("button", { name: /Read mail/ }).click();
    await page.locator("dialog[open]").getByLabel("Whose mailbox").fill("carol@hamburger.edu");
    await page.locator("dialog[open]").getByRole("button", { name: way }).click();
    await page.waitForFunction((by) => document.querySelector(".transcript .pane-title").textContent.includes(by), way.slice(3));
    await page.locator(".line", { hasText: "Over the bridge" }).first().waitFor();
  }
  // Every octet that the server said is explained.
  await page.locator(".line.server .speaker").first().click();
  await page.locator(".inspected .label").waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("by hand: what can be said follows the server's real state, and a password is masked", async () => {
  const { page, wrong, close } = await live(browser, server);
  await page.getByRole("button", { name: "Type SMTP" }).click();
  await page.locator(".palette code", { hasText: "EHLO" }).first().waitFor();
  const type = async (text) => { await page.fill("#prompt", text); await page.keyboard.press("Enter"); };
  await type("HELO crepes.fr");
  await page.locator(".palette code", { hasText: "MAIL" }).first().waitFor();
  await type("MAIL FROM: <alice@crepes.fr>");
  await page.locator(".palette code", { hasText: "RCPT" }).first().waitFor();
  await page.locator(".line .chip", { hasText: /space/i }).waitFor();
  await shot(page, "live-by-hand");
  await type("QUIT");
  await page.locator("#prompt").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Type POP3" }).click();
  await page.locator("#prompt").waitFor();
  await page.locator(".palette code", { hasText: "USER" }).first().waitFor();
  await type("USER bob@hamburger.edu");
  await type("PASS s3cr3t-word");
  await page.locator(".palette code", { hasText: "STAT" }).first().waitFor();
  assert.ok(!(await page.locator(".transcript").innerText()).includes("s3cr3t-word"));
  assert.deepEqual(wrong, []);
  await close();
});

test("no route tells the token, whoever asks", async () => {
  const { token } = server;
  assert.match(token, /^[0-9a-f]{32}$/);
  const letter = ["EHLO test.example", "MAIL FROM:<ann@test.example>", "RCPT TO:<bob@hamburger.edu>", "DATA", "Subject: told\r\n\r\nhi\r\n.", "QUIT"];
  await talk(server.smtp, letter);
  const { paths } = await (await fetch(`${own()}/api/openapi.json`)).json();
  const { messages } = await (await fetch(`${own()}/api/v1/messages`)).json();
  const named = (path) => path.replace("{id}", messages[0].ID).replace("{name}", "bob").replace(/\{[^}]+\}/g, "1");
  const pages = ["/", "/livez", "/readyz", "/metrics", "/inbox/", "/inbox/main.js", "/inbox/token.js", "/playground/", "/mail/", "/mail/sign-in", "/view/latest", "/api/", "/nothing"];
  const all = [...Object.entries(paths).filter(([path, of]) => of.get && path !== "/api/wait").map(([path]) => named(path)), ...pages];
  assert.ok(all.length >= 40, `${all.length} paths`);
  await Promise.all(all.map(async (path) => {
    for (const headers of [{}, { origin: own() }, { authorization: `Bearer ${"0".repeat(32)}` }]) {
      const heard = await new Promise((done, failed) => {
        const asked = request(own() + path, { headers }, (answer) => {
          let text = JSON.stringify(answer.rawHeaders);
          answer.on("data", (part) => { text += part; }).on("end", () => done(text));
          setTimeout(() => { asked.destroy(); done(text); }, 2000).unref();
        });
        asked.on("error", (error) => (error.code === "ECONNRESET" ? undefined : failed(error))).end();
      });
      assert.ok(!heard.includes(token), path);
    }
  }));
  // What a socket says by itself, and what it says to a guess.
  const mine = await open(browser, server);
  const told = await mine.page.evaluate((host) => Promise.all(["/api/events", "/api/stream", "/bridge/tcp?service=smtp", "/bridge/listen?port=4025"].map((path) => new Promise((done) => {
    const socket = new WebSocket(`ws://${host}${path}`, path.startsWith("/bridge") ? "pillarbox.v1" : []);
    let heard = "";
    socket.onmessage = ({ data }) => { heard += data; };
    socket.onclose = ({ code, reason }) => done(`${path} ${code} ${reason} ${heard}`);
    setTimeout(() => (path === "/api/events" ? socket.close() : socket.send("a guess")), 500);
  }))), server.http);
  assert.ok(!told.join().includes(token), told.join());
  assert.deepEqual(told.slice(1).map((one) => one.split(" ")[1]), ["4001", "4001", "4001"]);
  assert.equal(await mine.page.evaluate(() => sessionStorage.length), 0);
  await mine.close();
});

test("the printed address lets this tab in, and others of this server; its token leaves the address bar", async () => {
  const context = await browser.newContext();
  const inbox = await context.newPage();
  await inbox.goto(printed(server));
  await inbox.waitForURL(`${own()}/inbox/#/`);
  assert.equal(await inbox.evaluate(() => sessionStorage.getItem("pillarbox.token")), server.token);
  // A link that is opened in a tab of its own: nothing is shared with it but the server.
  const [playground] = await Promise.all([context.waitForEvent("page"), inbox.getByRole("link", { name: "Playground" }).click({ modifiers: ["Control"] })]);
  await playground.waitForSelector(".bar");
  await playground.goto(`${server.page}#/live`);
  await there(playground);
  // And in the same one.
  await inbox.getByRole("link", { name: "Playground" }).click();
  await inbox.waitForSelector(".bar");
  await inbox.goto(`${server.page}#/live`);
  await there(inbox);
  assert.ok(!inbox.url().includes("t="), inbox.url());
  await context.close();
});

test("without the token Live says what to do, and goes on with what is pasted or opened elsewhere", async () => {
  for (const [theme, size] of [["light", SIZES.wide], ["dark", SIZES.narrow]]) {
    const { page, wrong, close } = await open(browser, server, "#/live", { theme, size });
    await page.locator("h1", { hasText: "address that your server printed" }).waitFor();
    const field = page.getByLabel("The printed address, or the token alone");
    await shot(page, `live-locked-${theme}`);
    assert.deepEqual(await serious(page), []);
    await field.fill(`http://${server.http}/#t=${"0".repeat(32)}`);
    await page.keyboard.press("Enter");
    await page.locator("[role=alert]", { hasText: "each start has a new one" }).waitFor();
    await shot(page, `live-locked-wrong-${theme}`);
    assert.deepEqual(await serious(page), []);
    await field.fill(theme === "light" ? ` ${printed(server)}\n` : server.token);
    await page.keyboard.press("Enter");
    await there(page);
    // The page that is loaded again still has it.
    await page.reload();
    await there(page);
    assert.deepEqual(wrong, []);
    await close();
  }
  const { page, close } = await open(browser, server, "#/live");
  await page.locator("h1", { hasText: "address that your server printed" }).waitFor();
  await openPrinted(page, server);
  await there(page);
  // An address that is typed over this page's own is a fragment alone.
  await page.evaluate((token) => { sessionStorage.clear(); location.hash = `#t=${token}`; }, server.token);
  await page.waitForFunction(() => location.hash === "#/live");
  await there(page);
  await close();
});

test("when the server goes, the page says so, and goes on with the token of the next start", async () => {
  const second = await startServer();
  const { page, close } = await live(browser, second);
  second.stop();
  await page.locator(".live .chip.bad", { hasText: "gone" }).waitFor();
  await shot(page, "live-lost");
  const again = await startServer(["--http", second.http]);
  await page.locator(".live .chip.bad", { hasText: "started again, with a new token" }).waitFor({ timeout: 20_000 });
  await shot(page, "live-new-token");
  assert.deepEqual(await serious(page), []);
  await page.getByLabel("The printed address, or the token alone").fill(printed(again));
  await page.getByRole("button", { name: "Go on" }).click();
  await there(page);
  await page.getByRole("button", { name: "Type SMTP" }).click();
  await page.locator(".line", { hasText: "220" }).waitFor();
  await close();
  again.stop();
});

test("a server that was started again is another one: nothing of before is mixed with what it says", async () => {
  const first = await startServer();
  const { page, close } = await live(browser, first);
  const socket = connect(Number(first.smtp.split(":")[1]), "127.0.0.1");
  socket.on("error", () => {});
  await row(page, "220").waitFor();
  first.kill();
  await page.locator(".live .chip.bad", { hasText: "gone" }).waitFor();
  const again = await startServer(["--http", first.http]);
  await openPrinted(page, again);
  await there(page, 20_000);
  await page.locator("[role=alert]", { hasText: "started again" }).waitFor();
  await row(page, "incomplete").waitFor();
  await shot(page, "live-restarted");
  // Its sessions are counted from 1 again.
  await talk(again.pop3, ["USER bob@hamburger.edu", "QUIT"]);
  await row(page, "POP3").click();
  await page.locator(".line.client", { hasText: "QUIT" }).waitFor();
  assert.match((await lines(page))[0], /^S: \+OK /);
  await row(page, "SMTP").click();
  await page.locator(".line", { hasText: "220" }).waitFor();
  assert.ok(!(await lines(page)).some((line) => line.includes("USER")), "nothing of the other one");
  assert.equal(await page.locator(".talk").count(), 2);
  await close();
  again.stop();
});

test("in a small window conversations, talk and reasons are tabs, and all is reached by keyboard", async () => {
  const { page, wrong, close } = await live(browser, server, { size: SIZES.narrow });
  const tab = async (name) => (await page.getByRole("tab", { name }).getAttribute("aria-selected")) === "true";
  for (let times = 0; times < 12; times += 1) await talk(server.smtp, ["EHLO test.example", "QUIT"]);
  const last = page.locator(".talk").nth(11);
  await last.waitFor();
  await last.scrollIntoViewIfNeeded();
  await last.focus();
  await page.keyboard.press("Enter");
  await page.locator(".line", { hasText: "EHLO test.example" }).waitFor();
  assert.ok(await tab("Talk"), "what is chosen is shown");
  const { height } = await page.locator(".transcript").boundingBox();
  assert.ok(height > 400, `${height} pixels for what was said`);
  await page.locator(".line", { hasText: "EHLO test.example" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#live-tab-talk").focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.1" }).waitFor();
  await page.keyboard.press("ArrowRight");
  assert.ok(await tab("Conversations"));
  await page.getByRole("button", { name: "Type SMTP" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#prompt").fill("EHLO me");
  await page.keyboard.press("Enter");
  await page.locator(".line.client", { hasText: "EHLO me" }).waitFor();
  await shot(page, "live-small");
  assert.deepEqual(wrong, []);
  await close();
});

test("a fault strikes the next connection to one service, and no other", async () => {
  const { page, wrong, close } = await live(browser, server);
  const faults = async () => (await (await fetch(`${own()}/api/faults`)).json()).faults;
  const greeting = (address) => talk(address, ["QUIT"]).catch(() => "");
  const told = (page, words) => page.getByRole("status").filter({ hasText: words }).waitFor();
  const set = async (page, service, fault) => {
    await page.locator("#next-fault").focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("To which service").selectOption(service);
    await page.getByLabel("What goes wrong").selectOption({ label: fault });
    await page.getByRole("button", { name: "Let it strike" }).focus();
    await page.keyboard.press("Enter");
  };
  await set(page, "smtp", "it is cut before the greeting");
  await told(page, "⚡ waits for the next connection to SMTP: it is cut before the greeting");
  await shot(page, "live-next-fault");
  assert.deepEqual(await serious(page), []);
  assert.match(await greeting(server.pop3), /^\+OK/, "another service is none of its business");
  // Who comes later sees that it waits.
  const other = await live(browser, server);
  await told(other.page, "⚡ waits for");
  assert.deepEqual(other.wrong, []);
  await other.close();
  assert.equal(await greeting(server.smtp), "");
  await told(page, "✔ it struck the next connection to SMTP");
  assert.match(await greeting(server.smtp), /^220 /, "it strikes once");
  for (let tries = 0; tries < 200 && (await faults()).length; tries += 1) await page.waitForTimeout(50);
  assert.deepEqual(await faults(), [], "what has struck is gone");
  await set(page, "imap", "octets come one by one");
  await told(page, "⚡ waits for the next connection to IMAP");
  assert.equal((await faults()).length, 1);
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.locator(".serving").waitFor({ state: "detached" });
  for (let tries = 0; tries < 200 && (await faults()).length; tries += 1) await page.waitForTimeout(50);
  assert.deepEqual(await faults(), []);
  // That somebody was cut off is no error of the page.
  assert.deepEqual(wrong, []);
  await close();
});

test("Live in forced colours: nothing serious for axe, and states have words", async () => {
  const { page, wrong, close } = await live(browser, server, { forcedColors: "active", reducedMotion: "reduce" });
  await talk(server.smtp, ["EHLO test.example", "NONSENSE", "QUIT"]);
  await row(page, "221").click();
  await page.locator(".line", { hasText: "NONSENSE" }).waitFor();
  await shot(page, "forced-live");
  assert.match(await page.locator(".choices-bar .chip").first().innerText(), /● connected/);
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`Live, ${theme}, ${sizeName}: nothing serious for axe, nothing wider than the window`, async () => {
      const { page, wrong, close } = await live(browser, server, { theme, size, reducedMotion: "reduce" });
      await talk(server.smtp, ["EHLO test.example", "MAIL FROM:<ann@test.example>", "NONSENSE", "QUIT"]);
      await row(page, "221").click();
      await page.locator(".line", { hasText: "NONSENSE" }).locator(".speaker").click();
      await rest(page);
      await shot(page, `live-${theme}-${sizeName}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}
