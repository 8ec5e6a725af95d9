// The labs and the screens for octets and files: one mailbox by four ways, HTTP beside SMTP, the wire, files, the palette.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SIZES, THEMES, closeDialog, lines, open, press, rest, serious, shot, slowness, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

/** The table of who has what, by message: server and devices. */
const truth = (page) => page.$$eval(".truth tbody tr", (rows) => Object.fromEntries(rows.map((row) => [
  row.querySelector("th").textContent, [...row.querySelectorAll("td.yes, td.no")].map((cell) => cell.classList.contains("yes")),
])));
const desk = (page, title) => page.locator(".desk", { has: page.getByRole("heading", { name: title, exact: true }) });

test("the truth table of download-and-keep, download-and-delete and IMAP", async () => {
  const { page, wrong, close } = await open(browser, server, "#/access");
  await page.waitForSelector(".truth");
  assert.deepEqual(await truth(page), { Lunch: [true, false, false, false, false, false], Invoice: [true, false, false, false, false, false] });
  await shot(page, "access-begin");
  await desk(page, "Laptop").getByRole("button", { name: "Check mail" }).click();
  assert.deepEqual((await truth(page)).Lunch, [true, true, false, false, false, false]);
  await desk(page, "Phone").getByRole("button", { name: "Open the mailbox" }).click();
  await desk(page, "Tablet").getByRole("button", { name: "Open the mailbox" }).click();
  // A mark made on the phone is on the tablet, and not on the copy.
  await desk(page, "Phone").getByRole("button", { name: "Mark as read: Lunch" }).click();
  assert.equal(await desk(page, "Tablet").locator(".mail", { hasText: "Lunch" }).locator(".muted").innerText(), "read");
  assert.equal(await desk(page, "Laptop").locator(".mail", { hasText: "Lunch" }).locator(".muted").innerText(), "a copy");
  assert.match(await page.locator(".lesson").innerText(), /user state/);
  await shot(page, "access-shared");
  await desk(page, "Office PC").getByRole("button", { name: "Check mail" }).click();
  assert.deepEqual((await truth(page)).Lunch, [false, true, true, false, false, false], "fetched, deleted, gone for all others");
  assert.match(await page.locator(".lesson").innerText(), /reside on this device alone/);
  await page.getByRole("button", { name: "Alice writes to Bob" }).click();
  assert.deepEqual((await truth(page)).Dinner, [true, false, false, true, true, false], "IMAP is told, POP3 is not");
  assert.ok((await lines(page)).length > 3, "the conversation behind it is shown");
  await shot(page, "access-deleted");
  assert.deepEqual(wrong, []);
  await close();
});

test("a server that loses its UIDs has another UIDVALIDITY, and who had the mailbox open is sent away", async () => {
  const { page, wrong, close } = await open(browser, server, "#/access");
  const numbers = () => desk(page, "hamburger.edu").locator(".heard").innerText();
  const before = await numbers();
  assert.match(before, /^UIDVALIDITY \d+, UIDNEXT 3$/);
  await desk(page, "Phone").getByRole("button", { name: "Open the mailbox" }).click();
  await page.getByRole("button", { name: "The server loses its UIDs" }).focus();
  await page.keyboard.press("Enter");
  assert.match(await page.locator(".lesson").innerText(), /UIDVALIDITY/);
  assert.equal(await numbers(), before, "nobody has opened it since");
  await desk(page, "Tablet").getByRole("button", { name: "Open the mailbox" }).click();
  assert.notEqual(await numbers(), before);
  await desk(page, "Phone").getByRole("button", { name: "Open the mailbox" }).waitFor();
  await shot(page, "access-uidvalidity");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("a browser shows the mailbox as a page, and keeps nothing", async () => {
  const { page, wrong, close } = await open(browser, server, "#/access");
  const library = desk(page, "Library PC");
  await library.getByRole("button", { name: "Sign in" }).click();
  assert.deepEqual((await truth(page)).Lunch, [true, false, false, false, false, true]);
  await library.getByRole("button", { name: "Open: Lunch" }).click();
  const state = (title) => desk(page, title).locator(".mail", { hasText: "Lunch" }).locator(".muted").innerText();
  assert.equal(await state("hamburger.edu"), "read", "the server knows");
  assert.equal(await state("Library PC"), "unread", "the page is as old as it is");
  await library.getByRole("button", { name: "Reload" }).click();
  assert.equal(await state("Library PC"), "read");
  await shot(page, "access-web");
  await library.getByRole("button", { name: "Delete: Lunch" }).click();
  assert.deepEqual((await truth(page)).Lunch, [true, false, false, false, false, false], "in Trash, and so in nobody's inbox");
  assert.ok((await lines(page)).some((line) => line.includes("POST /act")), "the conversation behind it is shown");
  assert.ok(!(await page.content()).includes("hungry"), "the password is masked");
  assert.deepEqual(wrong, []);
  await close();
});

test("web mail: the network tab lists requests, and what each caused", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/web-mail");
  await page.getByRole("tab", { name: "Network" }).click();
  await page.locator(".network .empty").waitFor();
  await page.locator("body").press("End");
  const rows = page.locator(".network tbody tr");
  await page.locator(".network tbody tr", { hasText: "GET /in/INBOX/1" }).first().waitFor();
  assert.ok(await rows.count() > 20);
  const sent = rows.filter({ hasText: "POST /send" }).first();
  assert.match(await sent.innerText(), /Alice's browser[\s\S]*303 See Other/);
  const caused = (asked) => page.locator(".network tr", { hasText: asked }).first().locator("xpath=following-sibling::tr[1]").innerText();
  assert.match(await caused("POST /send"), /it caused: .*queue.*port 25/);
  assert.match(await caused("GET /in/INBOX/1"), /it caused: .*INBOX/);
  await sent.getByRole("button").click();
  await page.locator(".inspector", { hasText: "RFC 9112" }).waitFor();
  assert.ok((await lines(page)).some((line) => line.includes("to=bob%40hamburger.edu")), "the form is shown as it was sent");
  assert.deepEqual(await serious(page), []);
  await shot(page, "web-mail-network");
  assert.deepEqual(wrong, []);
  await close();
});

test("what is fetched in parts is less than the whole, and is counted", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/imap-parts");
  await press(page, "End");
  const talk = page.locator(".transcript select");
  await talk.selectOption({ label: await talk.locator("option", { hasText: "IMAP" }).first().textContent() });
  await page.locator(".transcript .rows", { hasText: "RFC822.SIZE" }).waitFor();
  const size = Number(/RFC822\.SIZE (\d+)/.exec((await lines(page)).join("\n"))[1]);
  assert.ok(size > 100_000, `${size} octets`);
  const came = Number(/↓ (\d+) octets/.exec(await page.locator(".counted").innerText())[1]);
  assert.ok(came > 1_000 && came < size / 10, `${came} of ${size} octets came`);
  await shot(page, "imap-parts");
  assert.deepEqual(wrong, []);
  await close();
});

test("on paper all that happened is there, and nothing to press", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob");
  await press(page, "End");
  await page.locator(".sequence", { hasText: "and he reads it" }).waitFor();
  await page.emulateMedia({ media: "print" });
  for (const gone of [".bar", ".tools", ".timeline"]) assert.ok(!await page.locator(gone).isVisible(), gone);
  const whole = (selector) => page.locator(selector).first().evaluate((list) => list.scrollHeight <= list.clientHeight + 1);
  assert.ok(await whole(".sequence .rows"), "the list is as long as it is");
  assert.ok(await whole(".transcript .rows"), "so is the conversation");
  assert.ok(await page.locator(".map").isVisible());
  await shot(page, "print");
  assert.deepEqual(wrong, []);
  await close();
});

test("HTTP and SMTP stand side by side, with the octets that were sent", async () => {
  const { page, wrong, close } = await open(browser, server, "#/compare");
  const row = (title) => page.locator(".compare-table tr", { has: page.locator("th", { hasText: title }) });
  await page.waitForSelector(".compare-table");
  assert.match(await row("The request").innerText(), /GET \/pancakes\.html HTTP\/1\.1[\s\S]*RCPT TO:<bob@hamburger\.edu>/);
  assert.match(await row("The page").innerText(), /200 OK[\s\S]*Subject: Pancakes/);
  const photo = await page.locator(".difference", { hasText: "600 octets" }).innerText();
  assert.match(photo, /of them above 127[\s\S]*all of them 7-bit/);
  await row("The request").locator(".line", { hasText: "GET" }).first().locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 9112" }).waitFor();
  await page.locator(".tree .leaf", { hasText: "method" }).click();
  await page.locator(".inspected .what", { hasText: "what is to be done" }).or(page.locator(".inspected .what", { hasText: "Give me this object" })).waitFor();
  await shot(page, "compare-line");
  assert.deepEqual(wrong, []);
  await close();
});

test("the wire: words, octets, parts and meaning are one, by pointer and by keyboard", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire");
  await page.waitForSelector(".octets-pane .hex");
  const line = page.locator(".line", { hasText: "RCPT TO:" }).first();
  await line.locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.3" }).waitFor();
  assert.match(await page.locator(".octets-pane .as-text").first().innerText(), /^RCPT TO: <bob@ha/);
  await page.locator(".tree .leaf", { hasText: "local part" }).hover();
  assert.equal(await page.locator(".hex .octet.lit").count(), 3, "b, o and b are lit");
  await page.locator(".tree .leaf").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.locator(".inspected .label", { hasText: "verb" }).waitFor();
  await shot(page, "wire-line");
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save …" }).click();
  await page.getByRole("button", { name: "In hex" }).click();
  const text = readFileSync(await (await waiting).path(), "utf8");
  assert.match(text, /^S +0 +32 32 30 20 /m);
  await closeDialog(page);
  const connection = async (scenario, protocol) => {
    await page.getByLabel("Scenario").selectOption(scenario);
    await page.waitForFunction((protocol) => [...document.querySelectorAll(".transcript option")].some((option) => option.textContent.includes(protocol)), protocol);
    await page.getByLabel("Which connection").selectOption(await page.locator(".transcript option", { hasText: protocol }).first().getAttribute("value"));
  };
  await connection("imap-folders", "IMAP");
  await page.locator(".line", { hasText: "AUTHENTICATE PLAIN" }).first().waitFor();
  const secret = Buffer.from("\0bob@hamburger.edu\0hungry").toString("base64");
  assert.ok(!(await page.content()).includes(secret), "the password is masked here too");
  // In the story of passwords in the clear it is what there is to see.
  await connection("pop-phases", "POP3");
  await page.locator(".line", { hasText: /PASS hungry/i }).first().waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("what happened can be saved: as text, as JSON, as packets, as messages, as a report", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob");
  await page.locator("#files").click();
  const save = async (name) => {
    const waiting = page.waitForEvent("download");
    await page.locator("dialog[open]").getByRole("button", { name }).first().click();
    return readFileSync(await (await waiting).path());
  };
  await shot(page, "files");
  const entries = (await save("log.jsonl")).toString().trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(entries.length > 100);
  assert.match((await save("report.md")).toString(), /^# Alice sends to Bob/);
  const mbox = (await save("messages.mbox")).toString();
  assert.match(mbox, /^From pillarbox [\s\S]*Subject: Lunch/);
  assert.match((await save(/\.eml$/)).toString(), /Subject: Lunch\r\n/);
  const packets = await save("capture.pcapng");
  assert.equal(packets.readUInt32LE(0), 0x0a0d0d0a, "it begins as pcapng does");
  assert.deepEqual(wrong, []);
  await close();
});

test("the page's runs are octet for octet those of the terminal: every scenario at every level has the same number", async () => {
  const golden = readFileSync(fileURLToPath(new URL("../../engine/world/tests/golden.txt", import.meta.url)), "utf8").trim().split("\n");
  assert.ok(golden.length > 40);
  const { page, wrong, close } = await open(browser, server);
  for (const line of golden) {
    const [id, level, , hash, link] = line.split(" ");
    await page.evaluate((to) => { location.hash = to; }, `#/w/${link}`);
    await page.waitForSelector("#files");
    await page.locator("#files").click();
    assert.equal(await page.locator("#run-number").innerText(), hash, `${id} ${level}`);
    await closeDialog(page);
    await page.evaluate(() => { location.hash = "#/"; });
    await page.waitForSelector(".scenario");
  }
  // And that is what the program itself says of one of them.
  const [, , , hash, link] = golden.find((line) => line.startsWith("mail-loop")).split(" ");
  const bin = process.env.PILLARBOX_BIN ?? fileURLToPath(new URL("../../target/release/pillarbox", import.meta.url));
  if (existsSync(bin)) assert.equal(execFileSync(bin, ["replay", link, "--format", "hash"], { encoding: "utf8" }).trim(), hash);
  console.log(`  ${golden.length} runs have the same number here and there`);
  assert.deepEqual(wrong, []);
  await close();
});

test("every place of a story of 2,000 entries is reached in time", async () => {
  const golden = readFileSync(fileURLToPath(new URL("../../engine/world/tests/golden.txt", import.meta.url)), "utf8");
  const link = /^asleep Hostile \d+ \w+ (\S+)$/m.exec(golden)[1];
  const { page, wrong, close } = await open(browser, server, `#/w/${link}`);
  const max = Number(await page.locator(".slider").getAttribute("max"));
  assert.ok(max > 2000, `${max} entries`);
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const worked = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "ThreadTime").value * 1000;
  };
  const times = [], work = [];
  for (let at = 0; at < 100; at += 1) {
    // Until what was drawn before is painted, and what follows at rest is drawn.
    await page.waitForTimeout(200);
    const before = await worked();
    times.push(await page.evaluate(async (to) => {
      const slider = document.querySelector(".slider");
      // A task that comes after all that the page does because of the event.
      const settled = () => new Promise((done) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = done;
        port2.postMessage(0);
      });
      const start = performance.now();
      slider.value = to;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      // What the reader waits for: the work, and the layout of what it made.
      await settled();
      await settled();
      document.querySelector(".transcript").getBoundingClientRect();
      return performance.now() - start;
    }, Math.floor((max * ((at * 37) % 101)) / 100)));
    work.push(await worked() - before);
  }
  for (const list of [times, work]) list.sort((a, b) => a - b);
  const said = (list) => `${list[50].toFixed(1)} ms, at the 95th percentile ${list[94].toFixed(1)} ms`;
  console.log(`  ${max} entries; a seek takes ${said(times)}; of the processor ${said(work)}`);
  // The processor's time is nearly the same beside other work, and is what is asked for. The clock's is three times as
  // much beside a build on two cores: its bound only finds what waits for something else.
  const slow = await slowness(page);
  assert.ok(work[94] < 50 * slow, `${work[94]} ms of work, ${slow.toFixed(2)} times as slow`);
  assert.ok(times[94] < 250 * slow, `${times[94]} ms`);
  assert.deepEqual(wrong, []);
  await close();
});

test("the palette goes anywhere by a few letters", async () => {
  const { page, wrong, close } = await open(browser, server);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /A screen/ }).fill("asleep");
  await shot(page, "palette");
  assert.deepEqual(await serious(page), []);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#play");
  assert.match(page.url(), /#\/s\/asleep$/);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: /A screen/ }).fill("lone dot");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".task");
  assert.deepEqual(wrong, []);
  await close();
});

test("back before the fault and without it: two branches, two outcomes", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/asleep");
  await press(page, "ArrowRight", 6);
  await press(page, "f");
  await page.locator(".fault", { hasText: "until=09:50/down" }).getByRole("checkbox").uncheck();
  await closeDialog(page);
  await press(page, "End");
  const told = () => page.locator(".sequence").innerText();
  await page.locator(".sequence", { hasText: "is rid of message 1" }).waitFor();
  assert.doesNotMatch(await told(), /09:30:0/, "delivered at once");
  await page.getByLabel("Branch").selectOption("0");
  await page.evaluate(() => document.activeElement.blur());
  await press(page, "End");
  await page.locator(".sequence", { hasText: /09:30:0.*10:00:0/s }).waitFor();
  assert.match(await told(), /is rid of message 1/, "delivered at the third attempt");
  await page.locator("#beside").click();
  const both = page.locator("dialog[open] .beside");
  assert.match(await both.locator("thead").innerText(), /branch B[\s\S]*branch A/);
  assert.equal(await both.locator(".ends td").filter({ hasText: "hamburger.edu: 1 in mailboxes, 0 in the queue" }).count(), 2, "both are delivered");
  const refused = both.locator("tbody tr", { has: page.locator("th", { hasText: /^09:30:0/ }) }).first().locator("td");
  assert.equal(await refused.nth(0).innerText(), "", "by then the branch without the fault was done");
  assert.notEqual(await refused.nth(1).innerText(), "");
  assert.deepEqual(await serious(page), []);
  await shot(page, "branches-beside");
  await press(page, "Escape");
  assert.deepEqual(wrong, []);
  await close();
});

test("a hop of seven bits ruins what is sent raw; what is encoded arrives", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/seven-bits");
  await press(page, "End");
  const talk = page.locator(".transcript select");
  await talk.selectOption({ label: await talk.locator("option", { hasText: "POP3" }).first().textContent() });
  await page.locator(".lines .line", { hasText: "Cr=C3=A8me br=C3=BBl=C3=A9e" }).first().waitFor();
  await page.locator(".lines .line", { hasText: "CrC(me brC;lC)e" }).first().waitFor();
  const sequence = await page.locator(".sequence").innerText();
  assert.match(sequence, /Bob's laptop is to check mail/, "people's devices are named as on the map");
  assert.match(sequence, /INBOX holds 3/, "all were taken");
  await shot(page, "seven-bits");
  assert.deepEqual(wrong, []);
  await close();
});

test("a password that was stolen can be seen, and cannot be stolen any more", async () => {
  const { page, wrong, close } = await open(browser, server, "#/c/steal-the-password");
  const choose = (list, words) => page.getByLabel(list).selectOption({ label: words });
  const type = async (text) => { await page.fill("#prompt", text); await page.keyboard.press("Enter"); };
  await choose("Lines and TLS …", "Listen on the line Bob's laptop – hamburger.edu");
  await choose("Read mail on …", "Bob's laptop: POP3, keep");
  const login = page.locator(".line.client", { hasText: "AUTH PLAIN" });
  await page.locator(".listener", { hasText: "reads it" }).waitFor();
  const heard = (await login.locator(".said").innerText()).replace("↵", "").trim();
  assert.match(heard, /^AUTH PLAIN AGJv/, "what Eve hears is not masked");
  await shot(page, "challenge-stolen");
  await choose("Connect by hand to …", "hamburger.edu, port 110 (POP3)");
  await type(heard);
  await page.locator(".goal-row.held", { hasText: "let in" }).waitFor();
  await type("QUIT");
  assert.equal(await page.locator(".goal-row.held").count(), 2);
  await choose("Lines and TLS …", "Bob's laptop: use TLS from now on");
  await choose("Read mail on …", "Bob's laptop: POP3, keep");
  await page.locator(".solved").waitFor();
  await page.locator(".listener", { hasText: "sees only TLS" }).waitFor();
  assert.match(await page.locator(".line.client", { hasText: "AUTH PLAIN" }).innerText(), /•••/, "what she cannot read is masked");
  await shot(page, "challenge-sealed");
  assert.deepEqual(wrong, []);
  await close();
});

test("every address leads somewhere, and an unknown one says so and shows the way home", async () => {
  const { page, wrong, close } = await open(browser, server, "#/no/such <place>");
  await page.getByRole("alert").filter({ hasText: "#/no/such" }).waitFor();
  await shot(page, "nowhere");
  assert.deepEqual(await serious(page), []);
  await page.getByRole("link", { name: /first page/ }).press("Enter");
  await page.locator(".hero").waitFor();
  for (const [address, place] of [["#/lab", ".desks"], ["#/s/4", ".stage"], ["#/c/2", ".task"], ["#/embed/asleep", ".wire-screen, .transcript"]]) {
    await page.evaluate((to) => { location.hash = to; }, address);
    await page.locator(place).first().waitFor();
  }
  for (const address of ["#/s/none-of-these", "#/c/none-of-these", "#/wire/none-of-these", "#/message/1zz", "#/compare/zzz", "#/x"]) {
    await page.evaluate((to) => { location.hash = to; }, address);
    await page.getByRole("alert").filter({ hasText: address.split("/").pop() }).waitFor();
  }
  assert.deepEqual(wrong, []);
  await close();
});

test("a frame shows what is said, where to type and time alone, wide and narrow", async () => {
  const places = [
    ["#/embed/alice-to-bob", [".transcript", ".timeline"]],
    ["#/embed/speak", [".transcript", "#prompt"]],
    ["#/embed/say-helo", [".transcript", ".task"]],
  ];
  for (const size of [{ width: 960, height: 640 }, { width: 480, height: 400 }]) {
    for (const [address, shown] of places) {
      const { page, wrong, close } = await open(browser, server, address, { size });
      for (const place of shown) await page.locator(place).first().waitFor();
      for (const place of [".map-pane", ".inspector", ".acts", ".bar nav", ".sequence"]) {
        assert.equal(await page.locator(place).filter({ visible: true }).count(), 0, `${address}: ${place}`);
      }
      const { height } = await page.locator(".transcript").boundingBox();
      assert.ok(height > 60, `${address}: the conversation is ${height} high`);
      await shot(page, `frame-${address.split("/").pop()}-${size.width}`);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      await close();
    }
  }
});

test("a page that does not come up says after a while what it needs", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  // As in a frame whose sandbox gives it no origin: none of its programs comes.
  await page.route(/\.js$/, () => {});
  await page.goto(server.page, { waitUntil: "commit" });
  const late = page.locator("#boot .late");
  await late.waitFor({ state: "attached" });
  assert.equal(await late.isVisible(), false);
  await late.waitFor({ timeout: 30_000 });
  assert.match(await late.innerText(), /allow-same-origin/);
  await context.close();
});

test("a filter of Wire that no line is like explains none, and leads back to lines", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire");
  const all = page.locator(".transcript .line");
  await all.first().waitFor();
  const count = await all.count();
  await page.getByLabel("Only lines with").fill("code:5*");
  await page.getByText("No line of this connection is like this").waitFor();
  await page.getByText("Choose a line: its octets").waitFor();
  assert.equal(await page.locator(".octets-pane .hex").count(), 0);
  assert.equal(await page.locator(".inspected").isVisible(), false, "nothing is explained");
  await page.getByRole("button", { name: /^Try code:\d+$/ }).click();
  await all.first().waitFor();
  assert.ok(await all.count() < count);
  await page.getByLabel("Only lines with").fill("code:5*");
  await page.getByRole("button", { name: "Show all lines" }).click();
  await page.waitForFunction((count) => document.querySelectorAll(".transcript .line").length === count, count);
  assert.equal(await page.getByLabel("Only lines with").inputValue(), "");
  assert.deepEqual(wrong, []);
  await close();
});

test("lines, arrows and what is on its way have a menu of what may go wrong, by pointer and by keyboard", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob");
  await page.waitForSelector("#play");
  const about = page.locator("#about-spot");
  const add = (words) => page.locator(".here .fault", { hasText: words }).getByRole("button", { name: "Add" }).click();
  const told = () => page.locator(".sequence").innerText();
  const start = async () => {
    await page.evaluate(() => { location.hash = "#/"; });
    await page.locator(".hero").waitFor();
    await page.evaluate(() => { location.hash = "#/s/alice-to-bob"; });
    await page.waitForSelector("#play");
  };
  // A line, by keyboard alone: it is a thing that Tab comes to, and `f` asks about it.
  const line = page.getByRole("button", { name: "The line between crepes.fr and hamburger.edu" });
  await line.focus();
  await page.keyboard.press("f");
  await about.filter({ hasText: "The line between crepes.fr and hamburger.edu" }).waitFor();
  await shot(page, "menu-line");
  assert.deepEqual(await serious(page), []);
  await closeDialog(page);
  await line.focus();
  await page.keyboard.press("Enter");
  await about.waitFor();
  await page.locator(".here .fault", { hasText: "Nobody gets through" }).getByRole("button").focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("End");
  await page.locator(".event.bad", { hasText: "refused" }).first().waitFor();
  // What is on its way: the key where nothing else is looked at, and the pointer.
  await start();
  const flying = page.locator(".flying .mover circle:not(.hollow), .flying .mover .letter");
  for (let step = 0; step < 60 && !await flying.count(); step += 1) {
    await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(30);
  }
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
  await page.keyboard.press("f");
  await about.filter({ hasText: /^What .* (says|answers) to .*, at \d/ }).waitFor();
  await closeDialog(page);
  await flying.first().click({ button: "right" });
  await about.filter({ hasText: /^What .* (says|answers) to / }).waitFor();
  await shot(page, "menu-flying");
  assert.deepEqual(await serious(page), []);
  const at = Number(await page.locator(".slider").inputValue());
  await add("It never arrives");
  assert.equal(Number(await page.locator(".slider").inputValue()) > at, true);
  await page.keyboard.press("End");
  await rest(page);
  assert.match(await told(), /cut|breaks|broke|lost/);
  await page.getByLabel("Branch", { exact: true }).waitFor();
  // An arrow of the list: a moment that is past, and the fault strikes there.
  await start();
  await page.keyboard.press("End");
  await rest(page);
  const row = page.locator(".sequence .event", { hasText: "opens a TCP connection" }).first();
  await row.click({ button: "right" });
  await about.filter({ hasText: "The connection from crepes.fr to hamburger.edu" }).waitFor();
  await closeDialog(page);
  await row.focus();
  await page.keyboard.press("f");
  await about.filter({ hasText: "The connection from crepes.fr to hamburger.edu" }).waitFor();
  await shot(page, "menu-arrow");
  await add("dropped before the greeting");
  await page.keyboard.press("End");
  await rest(page);
  await page.keyboard.press("f");
  await page.locator(".fault .chip", { hasText: "fired 1×" }).waitFor();
  await closeDialog(page);
  // Octets of the conversation, whose fields can be looked at.
  await start();
  await page.keyboard.press("End");
  await rest(page);
  await page.locator(".transcript .line.server").last().click({ button: "right" });
  await about.filter({ hasText: / answers to / }).waitFor();
  await page.locator("#fields").click();
  await page.locator(".inspector button", { hasText: "Unpin" }).waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

for (const theme of ["light", "dark"]) {
  test(`the menu of a thing is readable on a small window, ${theme}`, async () => {
    const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob", { theme, size: SIZES.narrow });
    await page.waitForSelector("#play");
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("f");
    await page.locator("#about-spot").waitFor();
    await shot(page, `menu-narrow-${theme}`);
    assert.ok(await page.evaluate(() => { const at = document.querySelector("dialog[open]"); return at.scrollWidth <= at.clientWidth; }), "it is cut off at the side");
    assert.deepEqual(await serious(page), []);
    assert.deepEqual(wrong, []);
    await close();
  });
}

/** The link that a page copies by a key, or by its button. */
async function copied(page, press) {
  await press();
  await page.locator('[role="status"]', { hasText: "was copied" }).waitFor({ state: "attached" });
  return new URL(await page.evaluate(() => navigator.clipboard.readText())).hash;
}
const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };

test("what was done in a lab is in its link, and is there in a fresh browser", async () => {
  const labs = [
    ["#/speak", ".transcript", async (page) => {
      await page.getByLabel("Protocol").selectOption({ label: "POP3, port 110" });
      for (const line of ["USER bob", "PASS hungry", "STAT"]) {
        await page.fill("#prompt", line);
        await page.keyboard.press("Enter");
      }
      await page.locator(".line.server").nth(3).waitFor();
      await page.locator(".line", { hasText: "STAT" }).first().click();
      return () => page.locator("#link").click();
    }, [".transcript .rows", ".state-pane", ".inspected"]],
    ["#/access", ".desks", async (page) => {
      await page.getByRole("button", { name: "Alice writes to Bob" }).click();
      await page.locator(".desk", { hasText: "IMAP" }).first().getByRole("button").first().click();
      return () => page.locator("#link").click();
    }, [".desks", ".truth-pane", ".transcript .rows"]],
    ["#/compare", ".compare-table", async (page) => {
      await page.locator(".compare-table .line", { hasText: "EHLO" }).first().click();
      await page.mouse.move(0, 0);
      return () => page.keyboard.press("c");
    }, [".inspected"]],
    ["#/message", ".lab", async (page) => {
      await page.locator(".editor").fill("From: alice@crepes.fr\r\nSubject: =?utf-8?B?Q3LDqG1l?=\r\n\r\nbr\u00fbl\u00e9e\r\n");
      return () => page.locator("#link").click();
    }, [".tree-pane", ".seen"]],
    ["#/c/say-helo", ".task", async (page) => {
      await page.getByLabel("Connect by hand to …").selectOption("hamburger.edu, port 25 (SMTP)");
      await page.fill("#prompt", "HELO crepes.fr");
      await page.keyboard.press("Enter");
      await page.locator(".solved").waitFor();
      return () => page.locator("#link").click();
    }, [".goals", ".transcript .rows"]],
  ];
  for (const [address, place, act, parts] of labs) {
    const { page, wrong, close } = await open(browser, server, address, CLIPBOARD);
    await page.locator(place).first().waitFor();
    const press = await act(page);
    const link = await copied(page, press);
    const seen = async (page) => {
      await page.mouse.move(0, 0);
      const texts = [];
      for (const part of parts) texts.push(await page.locator(part).first().innerText());
      return texts;
    };
    const here = await seen(page);
    await shot(page, `link-${address.split("/")[1]}`);
    assert.deepEqual(wrong, []);
    await close();
    console.log(`  from ${address} a link of ${link.length} characters`);
    const other = await open(browser, server, link);
    await other.page.locator(place).first().waitFor();
    for (let tries = 0; tries < 100 && JSON.stringify(await seen(other.page)) !== JSON.stringify(here); tries += 1) await other.page.waitForTimeout(100);
    assert.deepEqual(await seen(other.page), here, address);
    // What somebody else has solved is not solved here.
    assert.equal(await other.page.evaluate(() => localStorage.getItem("pillarbox.solved.say-helo")), null);
    // A cut link says that it is, and the page lives.
    await other.page.evaluate((to) => { location.hash = to; }, address === "#/compare" ? "#/compare/w99c0-1" : link.slice(0, -3));
    await other.page.getByRole("alert").first().waitFor();
    assert.deepEqual(other.wrong, []);
    await other.close();
  }
});

test("a link holds all branches where that is wanted, and only then", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/asleep", CLIPBOARD);
  await page.waitForSelector("#play");
  for (let step = 0; step < 20; step += 1) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("f");
  await page.locator(".fault", { hasText: "is down for good" }).getByRole("button", { name: "Add" }).click();
  await page.getByLabel("Branch", { exact: true }).waitFor();
  const alone = await copied(page, () => page.keyboard.press("c"));
  assert.match(alone, /^#\/w\/1/);
  await page.locator("#link").click();
  await page.getByLabel("All branches").check();
  await shot(page, "link-branches");
  assert.deepEqual(await serious(page), []);
  const all = await copied(page, () => page.locator("#copy-link").click());
  assert.match(all, /^#\/w\/2/);
  const outcome = async (page, label) => {
    await page.getByLabel("Branch", { exact: true }).selectOption({ label });
    await page.keyboard.press("End");
    await rest(page);
    return page.locator(".sequence").innerText();
  };
  await closeDialog(page);
  const here = [await outcome(page, "branch A"), await outcome(page, "branch B")];
  assert.notEqual(here[0], here[1]);
  assert.deepEqual(wrong, []);
  await close();
  const other = await open(browser, server, all);
  await other.page.waitForSelector("#play");
  assert.equal(await other.page.getByLabel("Branch", { exact: true }).inputValue(), "1");
  assert.deepEqual([await outcome(other.page, "branch A"), await outcome(other.page, "branch B")], here);
  await other.page.evaluate((to) => { location.hash = to; }, alone);
  await rest(other.page);
  assert.equal(await other.page.getByLabel("Branch", { exact: true }).count(), 0);
  for (const broken of [all.slice(0, -4), "#/w/2", "#/w/2AAAA", "#/w/3AAAA", "#/w/%20"]) {
    await other.page.evaluate((to) => { location.hash = to; }, broken);
    await other.page.getByRole("alert").waitFor();
  }
  assert.deepEqual(other.wrong, []);
  await other.close();
});

test("on a small window nothing lies upon anything else, and nothing is cut off", async () => {
  const { page, wrong, close } = await open(browser, server, "#/c/say-helo", { size: SIZES.narrow });
  await page.locator(".first-steps").waitFor();
  const apart = await page.evaluate(() => {
    const boxes = [".task", ".hands-left", ".acts", ".map-pane"].map((name) => document.querySelector(name).getBoundingClientRect());
    return boxes.every((box, at) => at === 0 || box.top >= boxes[at - 1].bottom - 1);
  });
  assert.ok(apart, "task, conversation, what can be done and map follow each other");
  await shot(page, "challenge-small");
  await page.evaluate(() => { location.hash = "#/speak"; });
  await page.locator(".state-pane").waitFor();
  await page.fill("#prompt", "HELLO crepes.fr");
  await page.keyboard.press("Enter");
  await page.locator(".refusal .button").waitFor();
  const cut = (name) => page.$$eval(name, (found) => found.filter((one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth).length);
  assert.equal(await cut(".refusal, .refusal .button"), 0);
  await shot(page, "refusal-small");
  await page.evaluate(() => { location.hash = "#/s/asleep"; });
  await page.getByRole("tab", { name: "Why" }).click();
  for (let step = 0; step < 60 && !/fault strikes/i.test(await page.locator(".inspected h3").innerText()); step += 1) await page.locator("#step").click();
  assert.match(await page.locator(".inspected h3").innerText(), /fault strikes/i);
  assert.equal(await cut(".inspected, .inspected h3"), 0);
  assert.deepEqual(wrong, []);
  await close();
});

test("what happened has a time in every row, and talk is told once", async () => {
  const { page, close } = await open(browser, server, "#/s/alice-to-bob");
  await press(page, "End");
  const rows = await page.$$eval(".sequence .event", (rows) => rows.map((row) => [row.querySelector("time").textContent, row.querySelector("span:last-child").textContent]));
  assert.ok(rows.length > 8);
  for (const [time, text] of rows) assert.match(time, /^\d\d:\d\d:\d\d$/, text);
  const times = rows.map(([time]) => time);
  assert.deepEqual(times, [...times].sort(), "in the order of time");
  const talk = rows.map(([, text]) => text).filter((text) => / talk /.test(text));
  assert.equal(new Set(talk).size, talk.length, talk.join("\n"));
  await shot(page, "what-happened");
  await close();
});

const SCREENS = [["access", "#/access"], ["compare", "#/compare"], ["wire", "#/wire"]];
for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`labs, ${theme}, ${sizeName}: nothing serious for axe, nothing wider than the window`, async () => {
      for (const [name, route] of SCREENS) {
        const { page, wrong, close } = await open(browser, server, route, { theme, size, reducedMotion: "reduce" });
        if (name === "access") {
          await desk(page, "Laptop").getByRole("button", { name: "Check mail" }).click();
          await desk(page, "Phone").getByRole("button", { name: "Open the mailbox" }).click();
        }
        await rest(page);
        await shot(page, `${name}-${theme}-${sizeName}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
        assert.deepEqual(await serious(page), [], name);
        assert.deepEqual(wrong, [], name);
        await close();
      }
    });
  }
}

test("as many photos are compared as are wanted, over one connection or one for each", async () => {
  const { page, wrong, close } = await open(browser, server, "#/compare", CLIPBOARD);
  await page.waitForSelector(".compare-table");
  const row = (title) => page.locator(".compare-table tr", { has: page.locator("th", { hasText: title }) });
  assert.match(await row("In all").innerText(), /1 connection, \d+ octets\.[^]*1 connection, \d+ octets\./);
  // By keyboard: each choice draws the screen anew, and the list keeps the focus.
  await page.getByLabel("How many photos").focus();
  for (const photo of ["Photo 2", "Photo 3"]) {
    await page.keyboard.press("ArrowDown");
    await row(photo).waitFor();
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "How many photos");
  }
  assert.match(await row("In all").innerText(), /^[^]*1 connection, /);
  await page.getByLabel("Connections").selectOption("o");
  await page.locator(".compare-table", { hasText: "4 connections, " }).waitFor();
  assert.match(await row("Photo 3").innerText(), /GET \/butter\.jpg HTTP\/1\.1[^]*Connection: close[^]*200 OK[^]*butter\.jpg/);
  assert.match(await row("Who connects").innerText(), /4 times/);
  await shot(page, "compare-photos");
  assert.deepEqual(await serious(page), []);
  // A link holds what is compared, and what is looked at.
  await page.locator(".compare-table .line", { hasText: "butter.jpg HTTP" }).first().click();
  const link = await copied(page, () => page.locator("#link").click());
  assert.match(link, /^#\/compare\/o3\.w3c/);
  assert.deepEqual(wrong, []);
  await close();
  const other = await open(browser, server, link);
  await other.page.locator(".compare-table .line.lit", { hasText: "butter.jpg" }).first().waitFor();
  assert.equal(await other.page.getByLabel("How many photos").inputValue(), "3");
  assert.deepEqual(other.wrong, []);
  await other.close();
});

test("parts are added to a message: another form, a text, a file", async () => {
  const { page, wrong, close } = await open(browser, server, "#/message");
  await page.locator(".editor").fill("From: alice@crepes.fr\nSubject: Menu\n\nDo you like ketchup?\n");
  const types = async () => [...(await page.locator(".editor").inputValue()).matchAll(/^content-type: ([^;\n]+)/gim)].map((found) => found[1]);
  const add = async (kind) => {
    await page.locator("#add-part").click();
    await page.getByLabel("What is added").selectOption(kind);
  };
  await page.locator("#add-part").focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("What is added").selectOption("html");
  await shot(page, "message-add-part");
  assert.deepEqual(await serious(page), []);
  await page.getByRole("button", { name: "Add it" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.deepEqual(await types(), ["multipart/alternative", "text/html"]);
  await page.frameLocator(".seen-html").locator("b", { hasText: "ketchup" }).waitFor();
  await add("file");
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose the file …" }).click();
  await (await chooser).setFiles({ name: "menu.csv", mimeType: "text/csv", buffer: Buffer.from("crêpe,3\n") });
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.deepEqual(await types(), ["multipart/mixed", "multipart/alternative", "text/html", "text/csv"]);
  await add("text");
  await page.getByLabel("What it says").fill("Crème?");
  await page.getByRole("button", { name: "Add it" }).click();
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.equal((await types()).at(-1), "text/plain");
  await page.locator(".tree-pane", { hasText: "menu.csv" }).waitFor();
  await shot(page, "message-parts-added");
  // Too much is refused, and nothing is lost.
  const before = await page.locator(".editor").inputValue();
  await add("file");
  const other = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Choose the file …" }).click();
  await (await other).setFiles({ name: "large.bin", mimeType: "application/octet-stream", buffer: Buffer.alloc(300_000) });
  await page.getByRole("alert").filter({ hasText: "large.bin is larger" }).waitFor();
  assert.equal(await page.locator(".editor").inputValue(), before);
  assert.deepEqual(wrong, []);
  await close();
});

test("a fault is copied as a flag for a real server, where one can do it", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob", CLIPBOARD);
  await page.waitForSelector("#play");
  for (const words of ["after the final dot", "Eve listens"]) {
    await page.locator("#faults").click();
    await page.locator(".fault", { hasText: words }).getByRole("button", { name: "Add" }).click();
    await page.locator("dialog[open]").waitFor({ state: "detached" });
  }
  await page.locator("#faults").click();
  const flag = page.getByRole("button", { name: /^Copy as a flag/ });
  assert.equal(await flag.count(), 1, "no server can have Eve listen");
  await flag.focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "--fault 'any/after=commit,nth=1/drop'");
  await shot(page, "faults-flag");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});
