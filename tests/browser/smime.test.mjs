// S/MIME in the message lab: the second module, the seven states, the octets that are covered, scenario 15 and challenge 24.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SIZES, THEMES, kept, open, press, rest, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const MODULE = /smime-[0-9a-f]+\.(wasm|js)/;
const state = (page) => page.locator(".state.now");
const number = async (page) => Number(await state(page).locator("b").innerText());
const becomes = (page, words) => page.locator(".state.now", { hasText: words }).waitFor();
const button = (page, name) => page.locator(".lab-panel").getByRole("button", { name, exact: true });
const bench = async (page) => {
  await page.getByRole("tab", { name: "Signed and encrypted" }).click();
  await state(page).waitFor();
};
/** The text of the octets that are marked as covered. */
const covered = (page) => page.$$eval(".octets i.c", (all) => all.map((octet) => octet.textContent).join(""));

test("sign, flip one octet: content altered, with reasons and the covered octets", async () => {
  const { page, wrong, close } = await open(browser, server, "#/message");
  await page.getByLabel("A message to begin with").selectOption("Two lines, as in the book");
  await bench(page);
  assert.equal(await number(page), 1);
  assert.equal(await covered(page), "");
  await button(page, "Sign").click();
  await becomes(page, "signed: intact, signer trusted");
  assert.equal(await number(page), 2);
  const text = await covered(page);
  assert.match(text, /^Content-Type: text\/plain[\s\S]*How about pickles\?/);
  assert.ok(!text.includes("Subject") && !text.includes("boundary"), "neither the header nor the signature is covered");
  await shot(page, "smime-signed");
  // One octet, by the pointer.
  await page.locator(".octets i.c", { hasText: "k" }).nth(1).click();
  await becomes(page, "content altered");
  assert.equal(await number(page), 6);
  assert.match(await page.locator(".lab-panel .notice").innerText(), /digest is not the one that was signed/);
  assert.match(await page.locator(".lab-panel .facts").innerText(), /digest that was signed\s+[0-9a-f]{64}\s+digest of what is here\s+[0-9a-f]{64}/);
  assert.ok((await page.inputValue(".editor")).includes("jetchup"), "the message is that one");
  await shot(page, "smime-altered");
  // The same one again, and it is as it was.
  await page.locator(".octets i.here").click();
  await becomes(page, "signer trusted");
  // Header fields are not covered.
  const subject = (await page.inputValue(".editor")).indexOf("Searching");
  assert.ok(subject > 0);
  await page.locator(".octet-line", { hasText: "Subject:" }).locator("i", { hasText: "S" }).last().click();
  await becomes(page, "signer trusted");
  assert.deepEqual(wrong, []);
  await close();
});

test("by keyboard alone: sign, choose an octet, flip it", async () => {
  const { page, wrong, close } = await open(browser, server, "#/message");
  await page.getByRole("tab", { name: "Seven bits" }).focus();
  await press(page, "ArrowRight");
  await state(page).waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "");
  const to = async (name) => {
    for (let tab = 0; tab < 60 && (await focused()) !== name; tab += 1) await press(page, "Tab");
    assert.equal(await focused(), name);
  };
  await to("Sign");
  await press(page, "Enter");
  await becomes(page, "signer trusted");
  await to("Which octet");
  const place = (octet) => octet.getAttribute("data-at").then(Number);
  const [first, last] = [await place(page.locator(".octets i.c").first()), await place(page.locator(".octets i.c").last())];
  const total = Number(await page.locator(".flip .slider").getAttribute("max"));
  const here = async () => Number(await page.inputValue(".flip .slider"));
  while (await here() < first) await press(page, first - await here() > total / 8 ? "PageUp" : "ArrowRight");
  assert.ok(await here() <= last, "the slider is at an octet that is covered");
  assert.match(await page.locator(".flip .slider").getAttribute("aria-valuetext"), new RegExp(`^octet \\d+ of ${total + 1}: `));
  await to("Flip a bit of it");
  await press(page, "Enter");
  await becomes(page, "content altered");
  await press(page, "Enter");
  await becomes(page, "signer trusted");
  assert.deepEqual(wrong, []);
  await close();
});

test("each author leads to a state of its own, and a part that is signed signs no message", async () => {
  const { page, wrong, close } = await open(browser, server, "#/message");
  await bench(page);
  for (const [author, expected, words] of [["1", 3, "signer is unknown"], ["2", 4, "not that of From"], ["3", 5, "expired"], ["0", 2, "trusted"]]) {
    await page.getByLabel("Who signs", { exact: true }).selectOption(author);
    await button(page, "Sign").click();
    await becomes(page, words);
    assert.equal(await number(page), expected);
    await button(page, "Undo").click();
    await becomes(page, "not signed");
  }
  await button(page, "Sign").click();
  const signed = await page.inputValue(".editor");
  const part = signed.slice(signed.indexOf("Content-Type: multipart/signed"));
  await page.locator(".editor").fill(`From: alice@crepes.fr\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nNot signed.\n--x\n${part}\n--x--\n`);
  await page.locator(".lab-panel .defect", { hasText: "Only a part" }).waitFor();
  assert.equal(await number(page), 1);
  await page.locator(".editor").fill("no header at all\n");
  await button(page, "Sign").click();
  await page.getByRole("alert").filter({ hasText: "no From" }).waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("encrypted to Bob: Eve sees base64 and the header, Bob the text, alone", async () => {
  const { page, wrong, close } = await open(browser, server, "#/message");
  await page.getByLabel("A message to begin with").selectOption("Two lines, as in the book");
  await bench(page);
  await button(page, "Sign").click();
  await becomes(page, "trusted");
  await button(page, "Encrypt to Bob").click();
  await becomes(page, "decrypted with the key of CN=Bob");
  assert.equal(await number(page), 7);
  assert.match(await page.locator(".lab-panel .inspected").innerText(), /Inside: signed: intact, signer trusted/);
  assert.match(await page.locator(".seen-text").innerText(), /ketchup/);
  await shot(page, "smime-bob");
  await page.getByLabel("Read by").last().selectOption("eve");
  await becomes(page, "no key for it here");
  assert.match(await page.locator(".lab-panel .notice").innerText(), /none of the given keys/);
  assert.ok(!(await page.locator(".seen-text").innerText()).includes("ketchup"));
  const raw = await page.inputValue(".editor");
  assert.match(raw, /Subject: Searching for the meaning of life\./, "the header stays in clear");
  assert.ok(!raw.includes("ketchup"));
  assert.match(await covered(page), /^[A-Za-z0-9+/=←↓]+$/, "what is sealed is base64");
  await shot(page, "smime-eve");
  // With other keys it is nobody's any more.
  await page.locator(".keys summary").click();
  await page.getByLabel("Read by").last().selectOption("bob");
  await becomes(page, "decrypted");
  await button(page, "Make new keys").click();
  await becomes(page, "no key for it here");
  // Private keys are nowhere but in the module.
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.documentElement.outerHTML]));
  assert.ok(!/PRIVATE KEY/.test(kept));
  assert.deepEqual(wrong, []);
  await close();
});

test("the second module is asked for only when it is needed, and can be asked for again", async () => {
  const asked = [];
  const { page, close, context } = await open(browser, server, "#/");
  page.on("request", (one) => MODULE.test(one.url()) && asked.push(one.url()));
  await page.evaluate(() => { location.hash = "#/message"; });
  await page.waitForSelector(".editor");
  assert.deepEqual(asked, [], "nobody has needed it");
  await context.route(MODULE, (route) => route.abort());
  await page.getByRole("tab", { name: "Signed and encrypted" }).click();
  await page.getByRole("alert").filter({ hasText: "could not be loaded" }).waitFor();
  await shot(page, "smime-not-loaded");
  assert.deepEqual(await serious(page), []);
  await context.unroute(MODULE);
  await page.getByRole("button", { name: "Try again" }).click();
  await state(page).waitFor();
  // Once it is here it is not loaded again.
  const before = asked.length;
  await page.evaluate(() => { location.hash = "#/"; });
  await page.waitForSelector(".scenario");
  await page.evaluate(() => { location.hash = "#/message"; });
  await bench(page);
  assert.equal(asked.length, before);
  await close();
});

test("with the network off, a message can be signed that was never signed before", async () => {
  const context = await browser.newContext({ viewport: SIZES.wide });
  const page = await context.newPage();
  await page.goto(server.page);
  await page.waitForSelector(".bar");
  await kept(page);
  await context.setOffline(true);
  await page.goto(`${server.page}#/message`);
  await page.reload();
  await bench(page);
  await button(page, "Sign").click();
  await becomes(page, "signer trusted");
  await context.close();
});

test("scenario 15: what arrived opens in the lab, altered by the hop, intact, and sealed", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/smime");
  await press(page, "End");
  await shot(page, "smime-scenario");
  await page.getByRole("link", { name: "Messages" }).click();
  await becomes(page, "content altered");
  assert.match(await covered(page), /CrC\(me brC;lC\)e at eight\?$/);
  await shot(page, "smime-arrived");
  const choose = (name) => page.getByLabel("A message to begin with").selectOption(name);
  await choose("bob@hamburger.edu-INBOX-2");
  await becomes(page, "signer trusted");
  assert.match(await page.locator(".lab-panel .facts").innerText(), /CN=Two Towns Authority/);
  assert.match(await page.locator(".seen-text").innerText(), /Crème brûlée at eight\?/);
  await choose("bob@hamburger.edu-INBOX-3");
  await becomes(page, "decrypted with the key of CN=Bob");
  assert.match(await page.locator(".seen-text").innerText(), /key is under the mat/);
  // The address alone leads there, and a broken one says so.
  await page.evaluate(() => { location.hash = "#/message/smime"; });
  await becomes(page, "content altered");
  await page.evaluate(() => { location.hash = "#/message/nothing"; });
  await page.getByRole("alert").first().waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("challenge 24: the lab gives the proof, and Carol gets it", async () => {
  const { page, wrong, close, context } = await open(browser, server, "#/c/prove-altered");
  await page.waitForSelector(".task");
  assert.equal(await page.locator(".goal-row.held").count(), 0);
  const opening = context.waitForEvent("page");
  await page.getByRole("link", { name: "Messages" }).click();
  const lab = await opening;
  await lab.waitForSelector(".state.now");
  await becomes(lab, "signer trusted");
  await lab.getByLabel("A message to begin with").selectOption("bob@hamburger.edu-INBOX-2");
  await becomes(lab, "content altered");
  const digests = [...(await lab.locator(".lab-panel .facts").innerText()).matchAll(/[0-9a-f]{64}/g)].map(([digest]) => digest.slice(0, 8));
  assert.equal(digests.length, 2);
  await page.getByLabel("Connect by hand to …").selectOption("hamburger.edu, port 25 (SMTP)");
  for (const line of ["HELO crepes.fr", "MAIL FROM:<bob@hamburger.edu>", "RCPT TO:<carol@hamburger.edu>", "DATA", `The butcher: ${digests.join(" ")}`, "."]) {
    assert.equal(await page.locator(".solved").count(), 0);
    await page.fill("#prompt", line);
    await page.keyboard.press("Enter");
  }
  await page.locator(".solved").waitFor();
  await shot(page, "smime-challenge");
  assert.deepEqual(wrong, []);
  await close();
});

for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`signed, altered, sealed, ${theme}, ${sizeName}: nothing serious for axe, nothing wider than the window`, async () => {
      for (const name of ["INBOX-1", "INBOX-2", "INBOX-3"]) {
        const { page, wrong, close } = await open(browser, server, "#/message/smime", { theme, size, reducedMotion: "reduce" });
        await state(page).waitFor();
        await page.getByLabel("A message to begin with").selectOption(`bob@hamburger.edu-${name}`);
        await page.locator(".keys summary").click();
        await rest(page);
        await shot(page, `smime-${name}-${theme}-${sizeName}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${wide} pixels too wide`);
        assert.deepEqual(await serious(page), [], name);
        assert.deepEqual(wrong, [], name);
        await close();
      }
    });
  }
}
