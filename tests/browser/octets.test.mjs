// Octets looked at closely: on the wire, over a hop of seven bits, without explanations; and how long the page takes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { SIZES, lines, open, press, rest, serious, shot, slowness, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const label = (page) => page.locator(".inspected .label").innerText();
const quote = (page) => page.locator(".inspected > .quote").first().innerText();

test("on the wire arrows lead from part to part, e explains and c copies a link", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire");
  await page.locator(".line", { hasText: "RCPT TO:" }).first().locator(".speaker").click();
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement.blur());
  assert.equal(await label(page), "command line");
  await press(page, "ArrowDown");
  assert.deepEqual([await label(page), await quote(page)], ["verb", "RCPT"]);
  await press(page, "ArrowRight");
  assert.equal(await label(page), "SP");
  for (let tries = 0; tries < 9 && (await label(page)) !== "path"; tries += 1) await press(page, "ArrowRight");
  await press(page, "ArrowDown");
  assert.equal(await label(page), "angle bracket");
  await press(page, "ArrowUp");
  assert.equal(await label(page), "path");
  await press(page, "ArrowUp");
  assert.equal(await label(page), "command line");
  await press(page, "ArrowRight");
  assert.match(await quote(page), /^DATA/, "the next line of the same side");
  await press(page, "ArrowLeft");
  assert.match(await quote(page), /^RCPT TO:/);
  // In the list of parts the focus goes along.
  await page.locator(".tree .leaf", { hasText: "verb" }).focus();
  await press(page, "ArrowRight");
  await page.waitForFunction(() => document.activeElement.textContent.startsWith("SP"));
  const why = page.locator(".inspected .why");
  await page.locator(".tree .leaf").first().focus();
  const had = await why.count();
  await press(page, "e");
  await page.waitForFunction((had) => document.querySelectorAll(".inspected .why").length !== had, had);
  await page.evaluate(() => { navigator.clipboard.writeText = async (text) => { window.copied = text; }; });
  await press(page, "c");
  const link = await page.evaluate(() => window.copied);
  assert.deepEqual(wrong, []);
  await close();
  const again = await open(browser, server, link.slice(link.indexOf("#")));
  await again.page.locator(".inspected", { hasText: "RCPT TO:" }).waitFor();
  await again.close();
});

test("one side alone, the time between lines, octets read as what they are written in", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire/seven-bits");
  await page.locator(".line.server").first().waitFor();
  const times = await page.$$eval(".line .delta", (all) => all.map((one) => one.textContent));
  assert.ok(times.length > 10 && times.every((time) => /^\+(\d+\.\d{3}|\d.*(min|h|d).*)$/.test(time)), times.join());
  assert.equal(times[0], "+0.000");
  assert.ok(times.some((time) => time !== "+0.000"));
  await page.getByLabel("Who speaks").selectOption("C");
  await page.waitForFunction(() => !document.querySelector(".line.server"));
  assert.ok(await page.locator(".line.client").count() > 5);
  await page.getByLabel("Who speaks").selectOption("");
  const connection = page.getByLabel("Which connection");
  const read = page.getByLabel("How the chosen octets are read");
  const shown = page.locator(".reading > p");
  await connection.selectOption({ label: await page.locator(".transcript option", { hasText: "POP3" }).first().textContent() });
  await page.locator(".line", { hasText: "Cr=C3=A8me br=C3=BBl=C3=A9e" }).first().locator(".speaker").click();
  await read.selectOption("qp");
  await page.waitForFunction(() => /Crème brûlée 🍔/.test(document.querySelector(".reading > p").textContent));
  await read.selectOption("date");
  assert.equal(await shown.innerText(), "These octets are not written so.");
  await page.locator(".line", { hasText: /^.*S:Date: / }).first().locator(".speaker").click();
  await page.waitForFunction(() => /^2026-01-05T09:/.test(document.querySelector(".reading > p").textContent));
  await page.locator(".line", { hasText: "S:zpjOrc67" }).first().locator(".speaker").click();
  await read.selectOption("base64");
  await page.waitForFunction(() => /[α-ω]{3}/.test(document.querySelector(".reading > p").textContent));
  assert.deepEqual(await serious(page), []);
  await shot(page, "wire-read");
  assert.deepEqual(wrong, []);
  await close();
});

test("a connection is kept as text, in hex, as arrays in C and raw", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire");
  await page.getByRole("button", { name: "Save …" }).click();
  const saved = async (name) => {
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name }).click();
    return readFileSync(await (await waiting).path());
  };
  const text = String(await saved(/As text/));
  assert.match(text, /^S: 220 hamburger\.edu\nC: HELO crepes\.fr\n/);
  assert.match(String(await saved(/In hex/)), /^S +0 +32 32 30 20 /);
  const raw = [await saved(/what the client said/), await saved(/what the server said/)];
  assert.match(String(raw[0]), /^HELO crepes\.fr\r\n/);
  const arrays = [...String(await saved(/arrays in C/)).matchAll(/(client|server)_\d+\[\] = \{([^}]*)\}/g)];
  const octets = (who) => Buffer.from(arrays.filter((one) => one[1] === who).flatMap((one) => one[2].match(/0x../g).map(Number)));
  assert.ok(octets("client").equals(raw[0]) && octets("server").equals(raw[1]), "they hold all octets");
  await shot(page, "wire-save");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("the message lab sends over seven bits: an ö sent raw is ruined, quoted-printable and base64 survive", async () => {
  for (const size of Object.values(SIZES)) {
    const { page, wrong, close } = await open(browser, server, "#/message", { size });
    await page.getByRole("tab", { name: "Seven bits" }).click();
    await page.locator(".hop .chip", { hasText: "octets of eight bits: 2 ✖" }).waitFor();
    await page.locator(".hop .chip", { hasText: "≤ 998 ✔" }).waitFor();
    await page.locator("#send-hop").focus();
    await press(page, "Enter");
    await page.locator(".verdict.bad", { hasText: "2 octets arrive as other ones" }).waitFor();
    await page.locator("h4", { hasText: "ö becomes C6" }).waitFor();
    const rows = await page.$$eval(".fates tbody tr", (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.deepEqual(rows.map((row) => row[3]), ["✔ Crème brûlée", "✔ Möchten Sie Crème brûlée?", "✔ Möchten Sie?", "✖ MC6chten Sie?"]);
    assert.deepEqual(await serious(page), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await shot(page, `seven-bits-${size.width}`);
    await page.getByLabel("Which line it goes over").selectOption("8");
    assert.equal(await page.locator(".verdict").count(), 0, "what was sent over the other line is not told of this one");
    await page.locator("#send-hop").click();
    await page.locator(".verdict.good", { hasText: "It survives" }).waitFor();
    await page.getByLabel("Which line it goes over").selectOption("7");
    await page.locator(".editor").fill("Subject: x\n\n.\nnothing above 127\n");
    await page.locator("#send-hop").click();
    await page.locator(".verdict.good").waitFor();
    assert.deepEqual(wrong, []);
    await close();
  }
});

test("texts that could not be loaded are told of where they would be, and can be loaded again", async () => {
  const context = await browser.newContext({ serviceWorkers: "block" });
  const asks = await context.newPage();
  let tries = 0, lost = true;
  await asks.route(/words-[^/]*\.txt/, (route) => { tries += 1; return lost ? route.abort() : route.continue(); });
  await asks.goto(`${server.page}#/s/crepes-hamburger`);
  await asks.locator(".lost-words").waitFor();
  assert.equal(await asks.locator(".stage").count(), 0);
  await shot(asks, "lost-words");
  assert.deepEqual(await serious(asks), []);
  // The first page needs none of them.
  await asks.locator(".brand").click();
  await asks.waitForSelector(".mover");
  await asks.locator(".scenario").first().click();
  await asks.locator(".lost-words").waitFor();
  const before = tries;
  await asks.getByRole("button", { name: "Load them again" }).click();
  for (let waited = 0; tries === before && waited < 50; waited += 1) await asks.waitForTimeout(20);
  assert.ok(tries > before, "it is asked for again");
  await asks.locator(".lost-words button").waitFor();
  lost = false;
  await asks.locator(".lost-words button").focus();
  await press(asks, "Enter");
  await asks.locator(".stage").waitFor();
  await press(asks, "End");
  await asks.locator(".line .speaker").first().click();
  await asks.locator(".inspected .what").first().waitFor();
  assert.equal(await asks.locator(".lost-words").count(), 0);
  await context.close();
});

test("in a small window the links to all screens are there on every screen", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire", { size: SIZES.narrow });
  const link = page.locator(".bar nav a", { hasText: "Compare" });
  assert.ok(!(await link.isVisible()));
  await page.getByRole("button", { name: "Screens" }).focus();
  await press(page, "Enter");
  await link.waitFor();
  assert.equal(await page.locator(".bar nav a:visible").count(), 8);
  assert.deepEqual(await serious(page), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await link.click();
  await page.locator(".compare").waitFor();
  assert.ok(!(await link.isVisible()), "it is closed on the next screen");
  assert.deepEqual(wrong, []);
  await close();
});

/** What the page's thread works for each of many actions, in milliseconds, least first. */
async function works(page, count, act) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const worked = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "ThreadTime").value * 1000;
  };
  const all = [];
  for (let at = 0; at < count; at += 1) {
    const start = await worked();
    await page.evaluate(act, at);
    // Until it is painted.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
    all.push(await worked() - start);
  }
  return all.sort((one, other) => one - other);
}

test("a step is painted, and what is typed is echoed, in time", async () => {
  const stage = await open(browser, server, "#/s/alice-to-bob");
  await stage.page.locator("#step").waitFor();
  await rest(stage.page);
  const slow = await slowness(stage.page);
  const step = await works(stage.page, 40, () => {
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  });
  const said = (list) => `${list[list.length >> 1].toFixed(1)} ms, at the 95th percentile ${list[Math.floor(list.length * 0.95)].toFixed(1)} ms`;
  console.log(`  a step takes ${said(step)} of the processor; the machine is ${slow.toFixed(2)} times as slow`);
  assert.ok(step[37] < 50 * slow, `${step[37]} ms`);
  assert.deepEqual(stage.wrong, []);
  await stage.close();
  const speak = await open(browser, server, "#/speak");
  await speak.page.locator("#prompt").waitFor();
  await rest(speak.page);
  const type = await works(speak.page, 40, (at) => {
    const prompt = document.querySelector("#prompt");
    prompt.value = "NOOP ".repeat(1 + (at % 7));
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
  });
  console.log(`  a typed letter takes ${said(type)}`);
  assert.ok(type[37] < 16 * slow, `${type[37]} ms`);
  const before = (await lines(speak.page)).length;
  const enter = await works(speak.page, 40, () => {
    const prompt = document.querySelector("#prompt");
    prompt.value = "NOOP";
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  });
  assert.ok((await lines(speak.page)).length >= before + 80, "each was said and answered");
  console.log(`  a line that is said and answered takes ${said(enter)}`);
  assert.ok(enter[37] < 50 * slow, `${enter[37]} ms`);
  assert.deepEqual(speak.wrong, []);
  await speak.close();
});

test("in Wire only those lines are shown that a filter wants", async () => {
  const { page, wrong, close } = await open(browser, server, "#/wire/crepes-hamburger");
  await page.waitForSelector(".wire .line");
  const filter = page.getByLabel("Only lines with");
  const shown = () => page.$$eval(".lines .line .said", (lines) => lines.map((line) => line.textContent.trim()));
  const all = (await shown()).length;
  await filter.fill("code:354");
  await page.waitForFunction(() => document.querySelectorAll(".lines .line").length === 1);
  assert.match((await shown())[0], /^354/);
  await filter.fill("code:2*");
  await page.waitForFunction(() => document.querySelectorAll(".lines .line").length > 3);
  assert.ok((await shown()).every((line) => line.startsWith("2")), (await shown()).join("\n"));
  await shot(page, "wire-filter");
  await filter.fill("label:path hamburger");
  await page.waitForFunction(() => document.querySelectorAll(".lines .line").length > 0 && [...document.querySelectorAll(".lines .line")].every((line) => line.textContent.includes("hamburger")));
  // What is none says so, and the lines stay.
  await filter.fill("code:");
  await page.getByRole("status").filter({ hasText: "needs something behind the colon" }).waitFor();
  assert.deepEqual(await serious(page), []);
  await filter.fill("");
  await page.waitForFunction((count) => document.querySelectorAll(".lines .line").length === count, all);
  await filter.fill("nothing has this");
  await page.locator(".transcript", { hasText: "No line of this connection is like this" }).waitFor();
  assert.deepEqual(wrong, []);
  await close();
});
