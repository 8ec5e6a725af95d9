// A world of one's own: built in the sandbox, saved, opened again, and shared in every form.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SIZES, THEMES, closeDialog, node, open, rest, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  server.stop();
});

const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };
const dialog = (page) => page.locator("dialog[open]");
const done = (page, words) => page.locator(".build .done", { hasText: words }).waitFor();
const BIN = process.env.PILLARBOX_BIN ?? join(import.meta.dirname, "../../target/release/pillarbox");

/** Opens a file as somebody would who chooses it. */
async function openFile(page, path) {
  const chooser = page.waitForEvent("filechooser");
  await dialog(page).locator("#open-file").click();
  await (await chooser).setFiles(path);
}

/** What a button saves, in a file of this name. */
async function saved(page, button, name) {
  const download = page.waitForEvent("download");
  await page.locator(button).click();
  const path = join(tmpdir(), `pillarbox-${process.pid}-${name}`);
  await (await download).saveAs(path);
  return path;
}

/** The sandbox with a third town and Carol in it. */
async function withPickles(page) {
  await page.locator("#build").click();
  await page.locator("#build-add").click();
  await done(page, "pickles.example is there.");
  await page.locator("#build-add").click();
  await done(page, "Carol's laptop is there.");
}

async function write(page, from, to) {
  await page.getByRole("button", { name: "Write a letter" }).click();
  await page.getByLabel("On which device").selectOption({ label: from });
  await page.getByLabel("To", { exact: true }).fill(to);
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await page.keyboard.press("End");
}

for (const [name, size] of Object.entries(SIZES)) {
  test(`a town is built by keyboard, and mail goes there and back, ${name}`, async () => {
    const { page, wrong, close } = await open(browser, server, "#/s/sandbox", { size });
    await page.locator("#build").waitFor();
    await page.locator("#build").focus();
    await page.keyboard.press("Enter");
    await shot(page, `build-${name}`);
    // Enter in a field adds what the form says; what could be added next stands there already.
    await page.getByLabel("Its domain").focus();
    await page.keyboard.press("Enter");
    await done(page, "pickles.example is there.");
    await page.getByLabel("What it is called").focus();
    await page.keyboard.press("Enter");
    await done(page, "Carol's laptop is there.");
    await page.getByLabel("What is added").focus();
    await page.keyboard.press("ArrowDown");
    await page.getByLabel("What is special about it").selectOption("tap");
    await page.locator("#build-add").focus();
    await page.keyboard.press("Enter");
    await done(page, "The line crepes.fr – pickles.example is there.");
    await shot(page, `built-${name}`);
    // What is there is changed by the same form, and a mistake has its words.
    await page.getByRole("button", { name: "Change pickles.example", exact: true }).click();
    assert.equal(await page.locator("#build-add").innerText(), "Change it");
    await page.getByLabel("Its domain").fill("pickles");
    await page.locator("#build-add").click();
    await page.getByRole("alert").filter({ hasText: "it has a dot, as in pickles.example" }).waitFor();
    await closeDialog(page);
    await page.locator('.map .node[aria-description^="pickles.example, mail server"]').waitFor();
    await write(page, "Carol's laptop (carol@pickles.example)", "bob@hamburger.edu");
    assert.match(await node(page, "hamburger.edu"), /bob@hamburger.edu INBOX 1/);
    await write(page, "Alice's laptop (alice@crepes.fr)", "carol@pickles.example");
    assert.match(await node(page, "pickles.example"), /carol@pickles.example INBOX 1/);
    await page.mouse.move(0, 0);
    await shot(page, `built-played-${name}`);
    // A town goes with its people, and what was sent to others is still there.
    await page.locator("#build").click();
    await page.getByRole("button", { name: "Remove pickles.example", exact: true }).click();
    await done(page, "pickles.example is gone, and with it Carol's laptop.");
    await closeDialog(page);
    assert.equal(await page.locator('.map .node[aria-description^="pickles.example"]').count(), 0);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    assert.deepEqual(wrong, []);
    await close();
  });
}

test("what is done in the sandbox stands in its address, and is there again", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox");
  await withPickles(page);
  await closeDialog(page);
  await write(page, "Carol's laptop (carol@pickles.example)", "bob@hamburger.edu");
  const there = async () => {
    await page.locator('.map .node[aria-description^="pickles.example"]').waitFor();
    assert.match(await node(page, "hamburger.edu"), /INBOX 1/);
  };
  await page.waitForFunction(() => location.hash.startsWith("#/w/1"));
  await there();
  await page.reload();
  await there();
  await page.locator(".bar nav a", { hasText: "Wire" }).click();
  await page.locator(".wire").waitFor();
  await page.goBack();
  await there();
  await page.locator(".brand").click();
  await page.getByRole("link", { name: "Continue: Sandbox" }).click();
  await there();
  assert.deepEqual(wrong, []);
  await close();
});

test("who leaves a sandbox that no address holds is asked first", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox");
  await page.getByRole("button", { name: "Write a letter" }).click();
  await page.getByLabel("What it says").fill("All work and no play. ".repeat(409));
  await dialog(page).getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").filter({ hasText: "The address of this page holds no more" }).waitFor();
  const asked = page.waitForEvent("dialog");
  await page.close({ runBeforeUnload: true });
  const question = await asked;
  assert.equal(question.type(), "beforeunload");
  await question.accept();
  assert.deepEqual(wrong, []);
  await close();
});

test("a network is saved as a scenario, which the page and the command line open again", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox");
  await withPickles(page);
  const path = await saved(page, "#save-network", "network.toml");
  assert.match(readFileSync(path, "utf8"), /name = "carols-laptop"/);
  await close();
  const other = await open(browser, server, "#/s/sandbox");
  await other.page.locator("#build").click();
  // What makes no sense says why, and changes nothing.
  const bad = join(tmpdir(), `pillarbox-${process.pid}-bad.toml`);
  writeFileSync(bad, "[[node]]\nname = \"a b\"\nkind = \"server\"\n");
  await openFile(other.page, bad);
  await other.page.getByRole("alert").filter({ hasText: "has ' '" }).waitFor();
  await openFile(other.page, path);
  await other.page.locator('.map .node[aria-description^="pickles.example"]').waitFor();
  assert.match(await other.page.evaluate(() => location.hash), /^#\/w\/1/);
  // A story in a file is told, not played in.
  const story = join(tmpdir(), `pillarbox-${process.pid}-story.toml`);
  writeFileSync(story, 'base = "towns"\ntitle = "My own story"\n[[do]]\nat = "1s"\nwhat = "send"\ndevice = "alice-laptop"\nto = "bob@hamburger.edu"\n');
  await other.page.locator("#files").click();
  await openFile(other.page, story);
  await other.page.locator("#play").waitFor();
  await other.page.locator(".bar .where", { hasText: "My own story" }).waitFor();
  assert.deepEqual([...wrong, ...other.wrong], []);
  await other.close();
  if (existsSync(BIN)) {
    const told = execFileSync(BIN, ["replay", story], { encoding: "utf8" });
    assert.match(told, /RCPT TO:<bob@hamburger.edu>/);
    execFileSync(BIN, ["replay", path]);
  }
});

test("the text of a network can be changed by hand", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox");
  await page.locator("#build").click();
  await page.locator(".as-text summary").click();
  const text = await page.getByLabel("The network as text").inputValue();
  await page.getByLabel("The network as text").fill(`${text}\n[[node]]\nname = "nowhere"\nkind = "printer"\n`);
  await page.locator("#use-text").click();
  await page.getByRole("alert").filter({ hasText: "expected server, device or dns, not printer" }).waitFor();
  await page.getByLabel("The network as text").fill(`${text}\n[[node]]\nname = "relay.example"\nkind = "server"\ntls = true\n`);
  await page.locator("#use-text").click();
  await done(page, "as the text has it");
  await closeDialog(page);
  await page.locator('.map .node[aria-description^="relay.example"]').waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("a link to a world of one's own is the same world elsewhere, in a frame too", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox", CLIPBOARD);
  await withPickles(page);
  await closeDialog(page);
  await write(page, "Carol's laptop (carol@pickles.example)", "bob@hamburger.edu");
  await page.locator("#files").click();
  const number = await page.locator("#run-number").innerText();
  await closeDialog(page);
  await page.locator("#link").click();
  await dialog(page).locator(".link-text").waitFor();
  await shot(page, "share");
  assert.equal(await dialog(page).getByLabel("Where I am").count(), 0, "a sandbox opens where it was left");
  assert.deepEqual(await serious(page), []);
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText())).hash;
  assert.match(await page.locator("#link-length").innerText(), new RegExp(`${server.page.length + link.length} characters`));
  await page.locator("#copy-embed").click();
  const frame = await page.evaluate(() => navigator.clipboard.readText());
  const embed = /^<iframe src="([^"]+)" title="Sandbox" width="960" height="640"><\/iframe>$/.exec(frame)[1];
  await close();
  for (const [place, bar] of [[link, true], [new URL(embed).hash, false]]) {
    const other = await open(browser, server, place);
    await other.page.locator(".transcript").waitFor();
    const own = other.page.locator('.map .node[aria-description^="pickles.example"]');
    await own.waitFor({ state: bar ? "visible" : "attached" });
    // A frame in somebody's page has room for the conversation, and not for the map or the way to other screens.
    for (const place of [".bar nav", ".map-pane", ".inspector", ".acts"]) {
      assert.equal(await other.page.locator(place).first().isVisible(), bar, place);
    }
    if (bar) {
      await other.page.locator("#files").click();
      assert.equal(await other.page.locator("#run-number").innerText(), number);
      await closeDialog(other.page);
    }
    await shot(other.page, bar ? "shared-own" : "embedded-own");
    assert.deepEqual(await serious(other.page), []);
    assert.deepEqual(other.wrong, []);
    await other.close();
  }
  assert.deepEqual(wrong, []);
});

test("a link holds what its switches say", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/pop-phases", CLIPBOARD);
  await page.waitForSelector("#play");
  await page.keyboard.press("End");
  await page.locator(".line.client", { hasText: "stat" }).first().locator(".speaker").click();
  await page.locator("#link").click();
  for (const label of ["Where I am", "What I look at"]) await dialog(page).getByLabel(label).uncheck();
  await dialog(page).getByLabel("Secrets shown").check();
  await shot(page, "share-switches");
  await page.locator("#copy-link").click();
  await page.locator("#copy-link", { hasText: "Copied" }).waitFor();
  const bare = new URL(await page.evaluate(() => navigator.clipboard.readText())).hash;
  await close();
  const other = await open(browser, server, bare);
  await other.page.locator("#secrets", { hasText: "Secrets shown" }).waitFor();
  assert.equal(await other.page.locator(".lines .line").count(), 0, "it begins at the beginning");
  assert.deepEqual([...wrong, ...other.wrong], []);
  await other.close();
});

test("what is too long for a link is a file, which opens again", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/sandbox", CLIPBOARD);
  const say = async (length) => {
    await page.getByRole("button", { name: "Write a letter" }).click();
    await page.getByLabel("What it says").fill("All work and no play. ".repeat(length / 22));
    await dialog(page).getByRole("button", { name: "Send" }).click();
    await page.keyboard.press("End");
  };
  let number;
  for (const [length, words] of [[9_000, "A file is safe."], [90_000, "too long for a link. A file holds it."]]) {
    await say(length);
    await page.locator("#files").click();
    number = await page.locator("#run-number").innerText();
    await closeDialog(page);
    await page.locator("#link").click();
    await page.locator("#link-length.defect", { hasText: words }).waitFor();
    await dialog(page).locator("#copy-command").waitFor();
    assert.match(await dialog(page).innerText(), /pillarbox replay story\.pillarbox/);
    await shot(page, `share-long-${length}`);
    const path = await saved(page, "#save-link", `${length}.pillarbox`);
    await closeDialog(page);
    const other = await open(browser, server, "#/s/sandbox");
    await other.page.locator("#files").click();
    await openFile(other.page, path);
    await other.page.locator("dialog[open]").waitFor({ state: "detached" });
    await other.page.locator("#files").click();
    assert.equal(await other.page.locator("#run-number").innerText(), number);
    assert.deepEqual(other.wrong, []);
    await other.close();
    if (existsSync(BIN) && !process.env.PILLARBOX_PAGE) {
      assert.match(execFileSync(BIN, ["replay", path, "--format", "hash"], { encoding: "utf8" }), /^[0-9a-f]{16}\n$/);
    }
  }
  assert.deepEqual(wrong, []);
  await close();
});

for (const theme of THEMES) {
  for (const [sizeName, size] of Object.entries(SIZES)) {
    test(`building and sharing, ${theme}, ${sizeName}: nothing serious for axe`, async () => {
      const { page, wrong, close } = await open(browser, server, "#/s/sandbox", { theme, size, reducedMotion: "reduce" });
      await withPickles(page);
      await page.getByLabel("What is added").selectOption("line");
      await shot(page, `build-${theme}-${sizeName}`);
      assert.deepEqual(await serious(page), []);
      await closeDialog(page);
      await rest(page);
      await shot(page, `sandbox-built-${theme}-${sizeName}`);
      assert.deepEqual(await serious(page), []);
      await page.locator("#link").click();
      await dialog(page).locator(".link-text").waitFor();
      await shot(page, `share-${theme}-${sizeName}`);
      const over = await dialog(page).evaluate((box) => box.scrollWidth - box.clientWidth);
      assert.ok(over <= 0, `${over} pixels of the dialog are out of it`);
      assert.deepEqual(await serious(page), []);
      assert.deepEqual(wrong, []);
      await close();
    });
  }
}
