// Check 15 in the page: HTML that means harm, in the message lab. What is written anew, and the frame with its policy, each
// hold alone; and where neither is there, the letter does what it means to, so that this would be seen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { attack, elsewhere } from "./attack.mjs";
import { open, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser, other;
before(async () => { server = await startServer(); browser = await startBrowser(); other = await elsewhere(); });
after(async () => { await browser?.close(); server?.stop(); other?.close(); });

/** The message lab with the letter in it. */
async function shown(options = {}) {
  const opened = await open(browser, server, "#/message", options);
  const { page } = opened;
  // What the page asks for itself is there by now.
  await page.locator(".lab").waitFor();
  const asked = [];
  // What a policy stops is begun and never answered.
  page.on("response", (response) => /^https?:/.test(response.url()) && asked.push(response.url()));
  await page.locator(".editor").fill(`From: Eve <eve@evil.example>\nSubject: News\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n${attack(other.host)}\n`);
  const frame = page.frameLocator(".seen-html");
  await frame.locator("p", { hasText: "News of today" }).waitFor();
  const looked = async (name) => {
    await page.waitForTimeout(1500);
    assert.match(await page.title(), /^Message lab/, `${name}: nothing was run`);
    assert.deepEqual([...asked, ...other.asked], [], `${name}: nothing was asked for`);
    assert.match(page.url(), /#\/message$/, name);
    assert.equal(opened.context.pages().length, 1, name);
  };
  return { ...opened, asked, frame, looked };
}

/** Shows something else in the frame: its own page, without what stands before it, or the letter as it came. */
const put = (page, { head, letter, sandbox }) => page.evaluate(([head, letter, sandbox]) => {
  const frame = document.querySelector(".seen-html");
  const at = frame.srcdoc.indexOf("<body>");
  const [before, own] = [frame.srcdoc.slice(0, at), frame.srcdoc.slice(at)];
  if (at < 0) throw new Error("the frame's page has no body");
  if (!sandbox) frame.removeAttribute("sandbox");
  frame.srcdoc = (head ? before : "") + (letter ?? own);
}, [head, letter, sandbox]);

test("check 15: as it is, HTML that means harm runs nothing and asks for nothing", async () => {
  const { page, wrong, frame, looked, close } = await shown();
  assert.equal(await frame.locator("script, svg, form, iframe, object, video, base, link, [onload], [onerror], [srcset]").count(), 0);
  assert.equal(await page.locator(".seen-html").getAttribute("sandbox"), "allow-popups allow-popups-to-escape-sandbox");
  await looked("as it is");
  await shot(page, "message-html");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("check 15: with the sanitiser bypassed, frame and policy hold alone", async () => {
  const { page, frame, looked, close } = await shown();
  await put(page, { head: true, letter: attack(other.host), sandbox: true });
  await frame.locator("svg").first().waitFor({ state: "attached" });
  await looked("with the sanitiser bypassed");
  await frame.locator("#js").click({ noWaitAfter: true });
  await frame.getByRole("button", { name: "Go" }).click({ noWaitAfter: true });
  await looked("with the sanitiser bypassed, and pressed");
  await close();
});

test("check 15: without frame and policies, the sanitiser holds alone", async () => {
  const { page, frame, looked, close } = await shown({ bypassCSP: true });
  await put(page, { head: false, letter: null, sandbox: false });
  await frame.locator("p", { hasText: "News of today" }).waitFor();
  await looked("without the frame");
  await close();
});

test("check 15: without any of them the letter does what it means to", async () => {
  const { page, close } = await shown({ bypassCSP: true });
  await put(page, { head: false, letter: attack(other.host), sandbox: false });
  for (let tries = 0; !other.asked.includes("/script.png"); tries += 1) {
    assert.ok(tries < 100, `it asked for ${other.asked}`);
    await page.waitForTimeout(50);
  }
  assert.doesNotMatch(await page.title(), /^Message lab/);
  await close();
});
