// A real conversation opened as a simulation: the program says the same octets to the engine in the page, time can be wound
// back, and the page says what is not as it was.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { SIZES, THEMES, closeDialog, lines, live, open, press, row, rest, serious, shot, startBrowser, startServer, talk } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const LETTER = ["EHLO test.example", "MAIL FROM:<ann@test.example>", "RCPT TO:<bob@hamburger.edu>", "DATA", "Subject: Again\r\n\r\nOnce more\r\n.", "QUIT"];
const clicked = (page, name) => page.getByRole("button", { name }).click();

/** Live, with a conversation of a program chosen. */
async function spoken(says, { words = "221", address = server.smtp, ...options } = {}) {
  const opened = await live(browser, server, options);
  await talk(address, says);
  await row(opened.page, words).click();
  return opened;
}

const number = async (page) => {
  await page.locator("#files").click();
  const number = await page.locator("dialog[open] #run-number").innerText();
  await closeDialog(page);
  return number;
};

test("a program's octets are said again, and the engine in the page answers them", async () => {
  const { page, wrong, close } = await spoken(LETTER, { permissions: ["clipboard-read", "clipboard-write"] });
  const real = await lines(page);
  await clicked(page, "Open as a simulation");
  await page.locator(".about", { hasText: "A simulation." }).waitFor();
  assert.deepEqual(await lines(page), [], "it begins at the beginning");
  await shot(page, "simulation-start");
  await press(page, "End");
  const again = await lines(page);
  const of = (letter, all) => all.filter((line) => line.startsWith(`${letter}:`));
  assert.deepEqual(of("C", again), of("C", real), "the same octets");
  assert.match(of("S", again).at(-1), /^S: 221 /);
  assert.match(await page.locator(".sequence").innerText(), /INBOX holds 1/, "it was delivered in the page");
  assert.match(await page.locator(".about summary").last().innerText(), /0 different/);
  assert.equal(await page.locator(".lacks").count(), 0, "of this one nothing is missing");
  // Every octet is explained by who read it, and time goes back.
  await page.locator(".line", { hasText: "RCPT TO" }).locator(".speaker").click();
  await page.locator(".inspector", { hasText: "RFC 5321 §4.1.1.3" }).waitFor();
  await page.locator(".about summary").last().click();
  await page.locator(".answers", { hasText: "the real server said" }).waitFor();
  await shot(page, "simulation-end");
  await press(page, "Home");
  await page.waitForFunction(() => document.querySelectorAll(".lines .line").length === 0);
  // The same recording is the same story, to the octet: opened again, and out of its link.
  const first = await number(page);
  await page.locator("#link").click();
  await page.locator("#copy-link", { hasText: "Copied" }).waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await closeDialog(page);
  await clicked(page, "Back to Live");
  await row(page, "221").waitFor();
  await clicked(page, "Open as a simulation");
  assert.equal(await number(page), first);
  const other = await open(browser, server, link.slice(link.indexOf("#")));
  await other.page.locator(".map").waitFor();
  assert.equal(await number(other.page), first);
  await press(other.page, "End");
  assert.deepEqual(await lines(other.page), again);
  assert.deepEqual([...wrong, ...other.wrong], []);
  await other.close();
  // A fault makes another branch of the same octets.
  await press(page, "Home");
  await press(page, "f");
  await page.locator("dialog[open]").getByLabel(/Or write it/).fill("any/verb=MAIL/reply=451 4.3.0 come later");
  await page.keyboard.press("Enter");
  await press(page, "End");
  await page.locator(".line", { hasText: "451 4.3.0 come later" }).waitFor();
  assert.match(await page.locator(".tools").innerText(), /branch/);
  assert.deepEqual(wrong, []);
  await close();
});

test("what is masked, unknown or still going on is told, and nothing is made up", async () => {
  const says = ["USER bob@hamburger.edu", "PASS s3cr3t-word", "STAT", "RETR 1", "QUIT"];
  await talk(server.smtp, LETTER);
  const { page, wrong, close } = await spoken(says, { words: "POP3", address: server.pop3 });
  await clicked(page, "Open as a simulation");
  const lacks = await page.locator(".lacks").innerText();
  assert.match(lacks, /Passwords: 1 masked/);
  assert.match(lacks, /nobody knows what was in it/);
  await press(page, "End");
  assert.ok(!(await page.content()).includes("s3cr3t-word"));
  await page.locator(".line", { hasText: "STAT" }).waitFor();
  await page.locator(".about summary").last().click();
  await page.locator(".answers tr", { hasText: "RETR 1" }).locator(".chip.bad").waitFor();
  await shot(page, "simulation-masked");
  await clicked(page, "Back to Live");
  // One that goes on, and whose program said nothing yet.
  const socket = connect(Number(server.smtp.split(":")[1]), "127.0.0.1");
  await page.locator(".talk", { hasText: "●" }).first().click();
  assert.ok(await page.getByRole("button", { name: "Open as a simulation" }).isDisabled());
  socket.write("NOOP\r\n");
  await page.locator(".line.client", { hasText: "NOOP" }).waitFor();
  await clicked(page, "Open as a simulation");
  await page.locator(".lacks", { hasText: "still going on" }).waitFor();
  socket.destroy();
  assert.deepEqual(wrong, []);
  await close();
});

test("a long one has no link, and says that a file holds it", async () => {
  const text = `${"x".repeat(70)}\r\n`.repeat(1200);
  const { page, wrong, close } = await spoken([...LETTER.slice(0, 4), `Subject: Long\r\n\r\n${text}.`, "QUIT"]);
  await clicked(page, "Open as a simulation");
  await press(page, "End");
  await page.locator(".line", { hasText: "QUIT" }).waitFor();
  await page.locator("#link").click();
  await page.locator("#link-length.defect", { hasText: "too long for a link" }).waitFor();
  await page.locator("#save-link").waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`simulation, ${theme}, ${sizeName}: nothing serious for axe, nothing wider than the window`, async () => {
      const { page, wrong, close } = await spoken(["USER bob@hamburger.edu", "PASS word", "RETR 9", "QUIT"], { words: "POP3", address: server.pop3, theme, size, reducedMotion: "reduce" });
      await clicked(page, "Open as a simulation");
      await page.locator(".about summary").last().click();
      await press(page, "End");
      await rest(page);
      await shot(page, `simulation-${theme}-${sizeName}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}
