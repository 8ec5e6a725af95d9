// The page as a server: who may have a port of this machine lent, and what real programs hear when they visit it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { SIZES, THEMES, lines, live, open, openPrinted, row, rest, serious, shot, slowness, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const own = () => `http://${server.http}`;

/** A port that nobody has: below those that the system gives to connections, or one of them might take it meanwhile. */
const free = () => new Promise((resolve) => {
  const port = 10_240 + Math.floor(Math.random() * 20_000);
  const probe = createServer().on("error", () => resolve(free()));
  probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(port)));
});

/** Whether somebody listens on a port. */
const listens = (port) => new Promise((resolve) => {
  const socket = connect(port, "127.0.0.1", () => { socket.destroy(); resolve(true); });
  socket.on("error", () => resolve(false));
});

const until = async (test, why) => {
  for (let tries = 0; !(await test()); tries += 1) {
    assert.ok(tries < 100, why);
    await new Promise((done) => setTimeout(done, 50));
  }
};

/** The status of a WebSocket handshake as somebody might try it. */
const handshake = (target, { host = server.http, origin = own(), protocol = "pillarbox.v1" } = {}) => new Promise((resolve, reject) => {
  const fields = [
    `Host: ${host}`, ...(origin === null ? [] : [`Origin: ${origin}`]), "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ];
  const socket = connect(Number(server.http.split(":")[1]), "127.0.0.1", () => socket.write(`GET ${target} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`));
  socket.once("data", (octets) => { socket.destroy(); resolve(Number(octets.toString("latin1").split(" ")[1])); }).on("error", reject);
});

/** A program of Python's; what it prints. */
const python = (text, ...args) => new Promise((resolve, reject) => {
  const program = spawn("python3", ["-c", text, ...args.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "", wrong = "";
  program.stdout.on("data", (part) => { said += part; });
  program.stderr.on("data", (part) => { wrong += part; });
  program.on("close", (code) => (code === 0 ? resolve(said.trim()) : reject(new Error(wrong))));
});

const SENDS = `
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as smtp:
    smtp.sendmail("ann@test.example", ["bob@test.example"], "Subject: A visit\\r\\n\\r\\nIs anybody in?\\r\\n")
print("sent")
`;
const READS = `
import poplib, sys
pop = poplib.POP3("127.0.0.1", int(sys.argv[1]), timeout=60)
pop.user("bob@test.example"); pop.pass_("s3cr3t-word")
print(pop.stat()[0], b"\\n".join(pop.retr(1)[1]).decode())
pop.quit()
`;

test("nobody but the own page is lent a port, and none that is the system's", async () => {
  const port = await free();
  const place = `/bridge/listen?port=${port}`;
  for (const origin of [null, "null", "http://127.0.0.1:1", "https://evil.example", `http://localhost:${server.http.split(":")[1]}`]) {
    assert.equal(await handshake(place, { origin }), 403, `${origin}`);
  }
  for (const host of ["evil.example", `evil.example:${server.http.split(":")[1]}`, "127.0.0.1"]) {
    assert.equal(await handshake(place, { host, origin: `http://${host}` }), 421, host);
  }
  assert.equal(await handshake(place, { protocol: null }), 400);
  assert.equal(await handshake(place, { protocol: "other" }), 400);
  for (const query of ["", "?port=25", "?port=1023", "?port=65536", `?port=${port}&host=0.0.0.0`, `?host=0.0.0.0&port=${port}`, `?port=0.0.0.0:${port}`, "?port=0"]) {
    assert.equal(await handshake(`/bridge/listen${query}`), 400, query);
  }
  assert.equal(await listens(port), false, "nobody listens before the token is there");
  const mine = await open(browser, server);
  const closed = await mine.page.evaluate(({ host, place }) => Promise.all(["", "0".repeat(32)].map((token) => new Promise((done) => {
    const socket = new WebSocket(`ws://${host}${place}`, "pillarbox.v1");
    socket.onopen = () => socket.send(token);
    socket.onmessage = () => done("listens");
    socket.onclose = (event) => done(event.code);
  }))), { host: server.http, place });
  assert.deepEqual(closed, [4001, 4001]);
  assert.equal(await listens(port), false);
  await mine.close();
});

test("ports are few, each is had by one, and all are free again when the page goes", async () => {
  const ports = [await free(), await free(), await free()];
  const mine = await open(browser, server);
  const asked = await mine.page.evaluate(async ({ host, token, ports }) => {
    window.kept = [];
    const listen = (port) => new Promise((done) => {
      const socket = new WebSocket(`ws://${host}/bridge/listen?port=${port}`, "pillarbox.v1");
      window.kept.push(socket);
      socket.onopen = () => socket.send(token);
      socket.onmessage = (event) => done(JSON.parse(event.data).listening);
      socket.onclose = (event) => done(event.code);
    });
    return [await listen(ports[0]), await listen(ports[0]), await listen(ports[1]), await listen(ports[2])];
  }, { host: server.http, token: server.token, ports });
  assert.deepEqual(asked, [`127.0.0.1:${ports[0]}`, 4002, `127.0.0.1:${ports[1]}`, 1006]);
  // More visitors than are taken wait outside; whoever is inside is not disturbed.
  const sockets = [];
  for (let count = 0; count < 12; count += 1) {
    const socket = connect(ports[0], "127.0.0.1");
    sockets.push(socket);
    await new Promise((done) => socket.once("connect", done));
  }
  const heard = await mine.page.evaluate(() => new Promise((done) => {
    let opened = 0;
    window.kept[0].onmessage = (event) => { if (typeof event.data === "string") opened += 1; };
    setTimeout(() => done(opened), 500);
  }));
  assert.ok(heard <= 8, `${heard} at once`);
  sockets.forEach((socket) => socket.destroy());
  await mine.close();
  await until(async () => !(await listens(ports[0])) && !(await listens(ports[1])), "the ports stay open");
});

/** A page's side of a port, as a socket: it reads frames while it may. */
const lent = (port) => new Promise((resolve, reject) => {
  const fields = [`Host: ${server.http}`, `Origin: ${own()}`, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: pillarbox.v1"];
  const socket = connect(Number(server.http.split(":")[1]), "127.0.0.1", () => socket.write(`GET /bridge/listen?port=${port} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`));
  const page = { socket, told: [], octets: 0, closed: false };
  let rest = Buffer.alloc(0), upgraded = false;
  const frame = () => {
    if (rest.length < 2) return null;
    const short = rest[1] & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < head) return null;
    const length = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    return rest.length < head + length ? null : { kind: rest[0] & 15, data: rest.subarray(head, head + length), end: head + length };
  };
  socket.on("data", (octets) => {
    rest = Buffer.concat([rest, octets]);
    if (!upgraded) {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      [upgraded, rest] = [true, rest.subarray(end + 4)];
      const token = Buffer.from(server.token);
      // RFC 6455 §5.3: what a client says is masked; a mask of zeros changes nothing.
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | token.length, 0, 0, 0, 0]), token]));
    }
    for (let next = frame(); next; next = frame()) {
      if (next.kind === 1) page.told.push(JSON.parse(next.data));
      else if (next.kind === 2) page.octets += next.data.length - 4;
      rest = rest.subarray(next.end);
      if (page.told[0]?.listening) resolve(page);
    }
  });
  socket.on("close", () => { page.closed = true; reject(new Error("no port")); }).on("error", reject);
});

test("a page that reads nothing for long keeps its port, and its visitors wait for it", async () => {
  const port = await free();
  const page = await lent(port);
  page.socket.pause();
  // More than what waits in any buffer between.
  const all = 32 << 20;
  const visitor = connect(port, "127.0.0.1");
  let taken = false;
  visitor.on("error", () => {});
  visitor.end(Buffer.alloc(all, "x"), () => { taken = true; });
  await new Promise((done) => setTimeout(done, 12_000));
  assert.equal(taken, false, "the visitor waits");
  assert.equal(await listens(port), true, "the port is still lent");
  page.socket.resume();
  await until(async () => page.octets >= all, "all of it comes");
  assert.equal(page.octets, all);
  assert.equal(page.closed, false);
  page.socket.destroy();
  await until(async () => !(await listens(port)), "a page that is gone keeps none");
});

/** Live, with a port that the page is a server on. */
async function serve(page, port, { by = "The engine in this page", speaks = "SMTP" } = {}) {
  await page.getByRole("button", { name: /Be the server/ }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("What is spoken").selectOption({ label: speaks });
  await dialog.getByLabel("Who answers").selectOption({ label: by });
  await dialog.getByLabel(/^Port/).fill(`${port}`);
  if (!(await page.locator(".serving").count())) await shot(page, "visitors-dialog");
  await dialog.getByRole("button", { name: "Listen" }).click();
  await page.locator(".serving", { hasText: `127.0.0.1:${port}` }).waitFor();
}

test("a real program sends to the engine in the page, and another reads it there", async () => {
  const { page, wrong, close } = await live(browser, server);
  const ports = [await free(), await free()];
  await serve(page, ports[0]);
  assert.equal(await python(SENDS, ports[0]), "sent");
  const talk = page.locator(".talk", { hasText: "this page" }).first();
  await talk.click();
  await page.locator(".line.client", { hasText: /quit/i }).waitFor();
  const said = await lines(page);
  assert.match(said[0], /^S: 220 engine\.example /);
  assert.ok(said.includes("C: Is anybody in?"), said.join("\n"));
  await page.locator(".line.client", { hasText: /rcpt to/i }).locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.3" }).waitFor();
  await shot(page, "visitors-engine");
  await serve(page, ports[1], { speaks: "POP3" });
  await until(async () => !(await listens(ports[0])), "the port before is let go");
  const read = await python(READS, ports[1]);
  assert.match(read, /^1 [\s\S]*Is anybody in\?$/);
  await page.locator(".line.client", { hasText: "RETR 1" }).waitFor();
  assert.ok(!(await page.content()).includes("s3cr3t-word"), "its password is masked");
  // What it said is a simulation like every other one.
  await page.getByRole("button", { name: "Open as a simulation" }).click();
  await page.locator(".lacks", { hasText: "Passwords: 1 masked" }).waitFor();
  await page.getByRole("button", { name: "Back to Live" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await until(async () => !(await listens(ports[1])), "the port is let go");
  assert.deepEqual(wrong, []);
  await close();
});

const SENDS_MUCH = `
import socket, sys
much = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
heard = much.makefile("rb")
def until(code):
    while not heard.readline().startswith(code): pass
until(b"220 ")
for said, code in ((b"EHLO test.example", b"250 "), (b"MAIL FROM:<ann@test.example>", b"250 "), (b"RCPT TO:<bob@test.example>", b"250 "), (b"DATA", b"354")):
    much.sendall(said + b"\\r\\n")
    until(code)
line = b"All of this letter is one line, which is said again, again and again.\\r\\n"
much.sendall(b"Subject: much\\r\\n\\r\\n" + line * (int(sys.argv[2]) // len(line)) + b".\\r\\n")
until(b"250 ")
much.sendall(b"QUIT\\r\\n")
until(b"221 ")
print("sent")
`;

test("whoever says millions of octets is taken in, shown page by page, and the page still answers", async () => {
  const { page, wrong, close } = await live(browser, server);
  const port = await free();
  await serve(page, port);
  // How long the page answers nothing, while all of that comes.
  await page.evaluate(() => {
    window.gaps = [];
    let last = performance.now();
    const look = () => {
      const now = performance.now();
      window.gaps.push(now - last);
      last = now;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  assert.equal(await python(SENDS_MUCH, port, 12 << 20), "sent");
  await page.locator(".line.client", { hasText: /quit/i }).waitFor();
  const gaps = (await page.evaluate(() => window.gaps)).sort((one, other) => one - other);
  console.log(`  ${gaps.length} frames, the longest took ${gaps.at(-1).toFixed(0)} ms`);
  // How much is done for a frame is counted elsewhere; here it is seen that nothing grows with all that came.
  assert.ok(gaps.at(-1) < 3_000 * await slowness(page), `${gaps.at(-1)} ms without an answer`);
  const pages = page.locator(".lines-pages");
  const numbers = async () => (await pages.innerText()).match(/lines (\d+) – (\d+) of (\d+)/).slice(1).map(Number);
  await pages.waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".line").length > 300);
  const [first, last, all] = await numbers();
  assert.ok(all > 170_000, `${all} lines`);
  assert.equal(last, all);
  assert.equal(await page.locator(".line").count(), last - first + 1);
  assert.ok(last - first < 500, "no more are drawn");
  await page.getByRole("button", { name: "Earlier" }).click();
  await page.waitForFunction((first) => document.querySelector(".lines-pages").textContent.includes(`– ${first} of`), first - 1);
  await page.locator(".line.client").first().locator(".speaker").click();
  await page.locator(".inspected .label", { hasText: "text line" }).waitFor();
  await shot(page, "visitors-much");
  await page.getByRole("button", { name: "Later" }).click();
  await page.locator(".line.client", { hasText: /quit/i }).waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("by hand: what is typed is what a real program hears", async () => {
  const { page, wrong, close } = await live(browser, server);
  const port = await free();
  await serve(page, port, { by: "I type the answers" });
  const sent = python(SENDS, port);
  await page.locator("#prompt").waitFor();
  const type = async (text) => { await page.fill("#prompt", text); await page.keyboard.press("Enter"); };
  await page.locator(".sayable", { hasText: "speak first" }).waitFor();
  // The engine reads along: what it would say can be taken, and what the client says is explained.
  await page.locator(".would").click();
  assert.match(await page.locator("#prompt").inputValue(), /^220 you /);
  await type("220 by.hand");
  for (const [heard, answer] of [[/^ehlo/i, "250 pleased to meet you"], [/^mail/i, "250 fine"], [/^rcpt/i, "250 fine"], [/^data/i, "354 go on"], [/^\.$/, "250 taken"]]) {
    await page.waitForFunction((heard) => [...document.querySelectorAll(".line.client .said")].some((one) => new RegExp(heard, "i").test(one.textContent.replace(/↵$/, ""))), heard.source);
    await type(answer);
  }
  await page.locator(".line.client", { hasText: /rcpt to/i }).locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.3" }).waitFor();
  await shot(page, "visitors-by-hand");
  // It has followed until here, past the message, and says so.
  await page.locator(".would", { hasText: "221" }).waitFor();
  await shot(page, "visitors-by-hand-end");
  await type("221 bye");
  assert.equal(await sent, "sent");
  assert.ok((await lines(page)).includes("C: Is anybody in?"));
  assert.deepEqual(wrong, []);
  await close();
  await until(async () => !(await listens(port)), "the port is let go with the page");
});

/** A program that says something and then nothing more, but hears: what it heard, and whether all was said. */
const hears = (port, says) => {
  const heard = { text: "", ended: false };
  heard.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => heard.socket.end(says));
  heard.socket.setEncoding("latin1").on("data", (text) => { heard.text += text; }).on("end", () => { heard.ended = true; }).on("error", () => { heard.ended = true; });
  return heard;
};

test("by hand: who says nothing more still hears what is typed", async () => {
  const { page, wrong, close } = await live(browser, server);
  const port = await free();
  await serve(page, port, { by: "I type the answers" });
  const heard = hears(port, "QUIT\r\n");
  await page.locator(".line.client", { hasText: "QUIT" }).waitFor();
  const type = async (text) => { await page.fill("#prompt", text); await page.keyboard.press("Enter"); };
  await type("220 by.hand");
  await until(() => heard.text === "220 by.hand\r\n", "the greeting is heard");
  await page.locator(".sayable", { hasText: "says nothing more" }).waitFor();
  await shot(page, "visitors-half-closed");
  await type("221 bye");
  await until(() => heard.ended, "all is answered");
  assert.equal(heard.text, "220 by.hand\r\n221 bye\r\n");
  await page.locator("#prompt").waitFor({ state: "detached" });
  // The engine answers such a program as well.
  const other = await free();
  await serve(page, other);
  const answered = hears(other, "QUIT\r\n");
  await until(() => answered.ended, "the engine answers");
  assert.match(answered.text, /^220 .*\r\n221 /);
  assert.deepEqual(wrong, []);
  await close();
});

test("by hand: who is gone altogether is told of once something is said to them", async () => {
  const { page, wrong, close } = await live(browser, server);
  const port = await free();
  await serve(page, port, { by: "I type the answers" });
  const heard = hears(port, "NOOP\r\n");
  await page.locator(".line.client", { hasText: "NOOP" }).waitFor();
  heard.socket.destroy();
  await page.fill("#prompt", "220 too late");
  await page.keyboard.press("Enter");
  await page.locator("#prompt").waitFor({ state: "detached" });
  assert.deepEqual(wrong, []);
  await close();
});

test("when the server is started again, the page has the same port again", async () => {
  const first = await startServer();
  const { page, close } = await live(browser, first);
  const port = await free();
  await serve(page, port);
  const visitor = connect(port, "127.0.0.1");
  visitor.on("error", () => {});
  await row(page, "this page").waitFor();
  first.kill();
  await page.locator(".serving", { hasText: "the port is lost" }).waitFor();
  await shot(page, "visitors-port-lost");
  const again = await startServer(["--http", first.http]);
  await openPrinted(page, again);
  await page.locator(".serving", { hasText: `127.0.0.1:${port}` }).waitFor({ timeout: 20_000 });
  assert.equal(await python(SENDS, port), "sent");
  await page.locator(".talk", { hasText: "221" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await until(async () => !(await listens(port)), "the port is let go");
  await close();
  again.stop();
});

test("a program that is refused hears that, and a taken port is told of", async () => {
  const { page, close } = await live(browser, server);
  const port = await free();
  await serve(page, port, { by: "I type the answers" });
  const refused = python(SENDS, port).then(() => "sent", (error) => error.message);
  await page.locator("#prompt").waitFor();
  await page.fill("#prompt", "554 not today");
  await page.keyboard.press("Enter");
  assert.match(await refused, /554, b'not today'/);
  const other = await live(browser, server);
  await other.page.getByRole("button", { name: /Be the server/ }).click();
  await other.page.locator("dialog[open]").getByLabel(/^Port/).fill("80");
  await other.page.locator("dialog[open]").getByRole("button", { name: "Listen" }).click();
  await other.page.locator("dialog[open] [role=alert]").waitFor();
  await other.page.locator("dialog[open]").getByLabel(/^Port/).fill(`${port}`);
  await other.page.locator("dialog[open]").getByRole("button", { name: "Listen" }).click();
  await other.page.locator("[role=alert]", { hasText: "it is taken" }).waitFor();
  await other.close();
  await close();
});

for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`the page as a server, ${theme}, ${sizeName}: nothing serious for axe, nothing wider than the window`, async () => {
      const { page, wrong, close } = await live(browser, server, { theme, size, reducedMotion: "reduce" });
      const port = await free();
      await serve(page, port, { by: "I type the answers" });
      const socket = connect(port, "127.0.0.1", () => socket.write("EHLO me\r\n"));
      await page.locator(".line.client", { hasText: "EHLO me" }).waitFor();
      await rest(page);
      await shot(page, `visitors-${theme}-${sizeName}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      socket.destroy();
      await close();
    });
  }
}
