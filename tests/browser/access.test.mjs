// Forced colours and little motion: what is marked is marked by more than colour, the focus is seen, nothing moves by itself.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SIZES, open, press, rest, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  server.stop();
});

const SCREENS = [
  ["home", "#/", ".home, .page, main"],
  ["stage", "#/s/asleep", "#play"],
  ["sandbox", "#/s/sandbox", "#build"],
  ["speak", "#/speak", ".hands"],
  ["access", "#/access", ".desks"],
  ["wire", "#/wire", ".wire"],
  ["compare", "#/compare", ".compare-table"],
  ["message", "#/message", ".lab"],
  ["challenge", "#/c/say-helo", ".task"],
];

/** Elements that Tab comes to whose focus is drawn by nothing. */
async function unseenFocus(page, steps) {
  const unseen = [];
  for (let step = 0; step < steps; step += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const ring = (element, pseudo) => {
        const style = getComputedStyle(element, pseudo);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
      };
      // A part of a drawing shows it by its border.
      const drawn = [at, ...at.querySelectorAll("rect, line")].some((element) => ring(element) || element.matches?.(":focus-visible rect, :focus-visible line") && parseFloat(getComputedStyle(element).strokeWidth) >= 2);
      return drawn ? null : `${at.tagName.toLowerCase()}.${at.getAttribute("class") ?? ""} ${at.textContent.trim().slice(0, 30)}`;
    });
    if (found) unseen.push(found);
  }
  return unseen;
}

for (const [name, address, there] of SCREENS) {
  test(`forced colours, ${name}: the focus is seen, what is chosen too`, async () => {
    for (const [sizeName, size] of Object.entries(SIZES)) {
      const { page, wrong, close } = await open(browser, server, address, { size, forcedColors: "active", reducedMotion: "reduce" });
      await page.locator(there).first().waitFor();
      if (name === "stage") await press(page, "End");
      await rest(page);
      await shot(page, `forced-${name}-${sizeName}`);
      assert.ok(await page.evaluate(() => matchMedia("(forced-colors: active)").matches));
      assert.deepEqual(await unseenFocus(page, sizeName === "wide" ? 25 : 8), [], sizeName);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      await close();
    }
  });
}

test("forced colours: what went well, badly, or is chosen is told by words and signs", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/asleep", { forcedColors: "active", reducedMotion: "reduce" });
  await page.waitForSelector("#play");
  await page.evaluate(() => document.querySelector(".predict, .prediction")?.remove());
  await press(page, "End");
  await page.locator(".sequence .rows li").first().waitFor();
  // Every marked row has a sign of its own beside its colour.
  const signs = await page.$$eval(".sequence .rows li", (rows) => rows.map((row) => {
    const mark = [...row.classList].find((name) => ["good", "warn", "bad"].includes(name));
    const pieces = [row, ...row.querySelectorAll("*")].flatMap((element) => ["", "::before", "::after"].map((pseudo) =>
      pseudo ? getComputedStyle(element, pseudo).content : ""));
    return mark && { mark, told: /[✔✖⚠!●✓×]/.test(row.textContent + pieces.join("")) || row.querySelector("svg") !== null, text: row.innerText.slice(0, 50) };
  }).filter(Boolean));
  assert.ok(signs.length > 2, "something is marked");
  assert.deepEqual(signs.filter(({ told }) => !told), []);
  // What is looked at has an edge wherever it is shown; what is not has none.
  const edged = (selector) => page.$$eval(selector, (all) => all.map((element) => getComputedStyle(element).outlineStyle !== "none"));
  await page.locator(".line.server").nth(1).locator(".said > span").first().click();
  await page.locator(".octet.lit").first().waitFor();
  await page.locator("#play").focus();
  await page.mouse.move(0, 0);
  for (const kind of [".line", ".tree .leaf", ".hex .octet"]) {
    const lit = await edged(`${kind}.lit`);
    assert.ok(lit.length > 0 && lit.every(Boolean), kind);
    assert.ok((await edged(`${kind}:not(.lit)`)).every((edge) => !edge), kind);
  }
  await shot(page, "forced-chosen");
  assert.deepEqual(wrong, []);
  await close();
  const small = await open(browser, server, "#/s/asleep", { size: SIZES.narrow, forcedColors: "active", reducedMotion: "reduce" });
  await small.page.waitForSelector(".tab");
  const tabs = await small.page.$$eval(".tab", (all) => all.map((tab) => [tab.getAttribute("aria-selected") === "true", getComputedStyle(tab).outlineStyle !== "none"]));
  assert.ok(tabs.length > 2 && tabs.every(([chosen, edge]) => chosen === edge), JSON.stringify(tabs));
  await small.close();
});

test("little motion: nothing is animated, and what travels changes its place at once", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob", { reducedMotion: "reduce" });
  await page.waitForSelector("#play");
  for (const address of ["#/", "#/s/alice-to-bob", "#/s/sandbox", "#/access", "#/speak"]) {
    await page.evaluate((to) => { location.hash = to; }, address);
    await rest(page);
    if (address.startsWith("#/s/")) {
      await page.waitForSelector("#play, #build");
      for (let step = 0; step < 12; step += 1) {
        await page.keyboard.press("ArrowRight");
        const running = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === "running").map((one) => `${one.animationName ?? one.transitionProperty} of ${one.effect.target.className?.baseVal ?? one.effect.target.className}`));
        assert.deepEqual(running, [], `${address}, step ${step}`);
      }
    }
    const running = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === "running").length);
    assert.equal(running, 0, address);
  }
  assert.deepEqual(wrong, []);
  await close();
  // Where motion is wanted there is some, so that the check above can fail.
  const other = await open(browser, server, "#/s/alice-to-bob");
  await other.page.waitForSelector("#play");
  let moved = 0;
  for (let step = 0; step < 12; step += 1) {
    await other.page.keyboard.press("ArrowRight");
    moved += await other.page.evaluate(() => document.getAnimations().filter((one) => one.playState === "running").length);
  }
  assert.ok(moved > 0);
  await other.close();
});
