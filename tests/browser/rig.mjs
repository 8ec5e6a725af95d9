// The real server, the real browser, and what every check needs: pages with errors collected, screenshots, axe.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Where screenshots are kept. */
export const SHOTS = join(ROOT, "target/browser");
mkdirSync(SHOTS, { recursive: true });

export const THEMES = ["light", "dark", "contrast"];
export const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };
// What Playwright switches off, since the last such list alone counts, and one more: a sandboxed frame in a process of its own
// can be told of twice, which Playwright does not survive on a slow machine (all tests of the file pass, and the file fails).
const OFF = ["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable",
  "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints",
  "NetworkTimeServiceQuerying", "PreconnectToSearch", "IsolateSandboxedIframes"];
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", `--disable-features=${OFF}`];

/** Debian's chromium, or the one named by CHROMIUM. */
function browserPath() {
  const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = places.find((place) => place && existsSync(place));
  if (!found) throw new Error("no chromium; tests/setup.sh installs it, or name it in CHROMIUM");
  return found;
}

/** Starts the server on free ports, with nothing kept. */
export async function startServer(more = []) {
  // While a page is worked on, something else may serve it.
  const other = process.env.PILLARBOX_PAGE;
  if (other) return { page: other, stop() {}, kill() {} };
  const ready = join(mkdtempSync(join(tmpdir(), "pillarbox-browser-")), "ready.json");
  const named = new Set(more);
  const free = ["smtp", "pop3", "imap", "http"].filter((name) => !named.has(`--${name}`));
  const ports = free.flatMap((name) => [`--${name}`, "127.0.0.1:0"]);
  const server = spawn(process.env.PILLARBOX_BIN ?? join(ROOT, "target/release/pillarbox"), ["serve", "--memory", ...ports, ...more, "--ready-file", ready], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (let tries = 0; !existsSync(ready); tries += 1) {
    if (tries > 600 || server.exitCode !== null) throw new Error("the server did not become ready");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const addresses = JSON.parse(readFileSync(ready, "utf8"));
  return { ...addresses, page: `http://${addresses.http}/playground/`, stop: () => server.kill("SIGTERM"), kill: () => server.kill("SIGKILL") };
}

export const startBrowser = () => chromium.launch({ executablePath: browserPath(), args: ARGS });

/** A page of its own; what must never happen is collected in `wrong`. */
export async function open(browser, server, route = "#/", options = {}) {
  const { theme = "light", size = SIZES.wide, ...more } = options;
  const context = await browser.newContext({ viewport: size, serviceWorkers: "block", acceptDownloads: true, ...more });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && protocol !== "blob:" && origin !== new URL(server.page).origin) wrong.push(`asked ${request.url()}`);
  });
  await page.addInitScript((theme) => {
    try { localStorage.setItem("pillarbox.theme", theme); } catch { /* about:blank has none */ }
  }, theme);
  await page.goto(server.page + route);
  await page.waitForSelector(".bar");
  return { context, page, wrong, close: () => context.close() };
}

export const shot = (page, name) => page.screenshot({ path: join(SHOTS, `${name}.png`), animations: "disabled" });

/** What axe finds serious or critical, in a line each. */
export async function serious(page) {
  // Past the page's policy, which forbids what axe does and nothing else here does.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: AXE });
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const grave = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 4).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join("; ")}`);
}

/** Closes a dialog by its key; what is pressed next is meant for the page, which hears nothing while a dialog is open. */
export async function closeDialog(page) {
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
}

/**
 * Until the page has drawn what it only draws at rest, 150 ms after it last moved. Its own clock is asked: on a busy machine
 * the page is as late as what it waits for.
 */
export const rest = (page) => page.evaluate(async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await frame();
  await new Promise((done) => setTimeout(done, 250));
  await frame();
});

/** Collects what nothing holds any more; what holds only each other goes in more than one round. */
export async function collect(page, session) {
  for (let round = 0; round < 3; round += 1) {
    await rest(page);
    await session.send("HeapProfiler.collectGarbage");
  }
}

/** Lines of the conversation that is shown, as text. */
export const lines = (page) => page.$$eval(".lines .line", (rows) =>
  rows.map((row) => `${row.querySelector(".speaker").textContent} ${row.querySelector(".said").textContent.replace(/↵$/, "")}`));

/** What the map says of a node. */
export const node = (page, name) => page.locator(`.map .node[aria-description^="${name}"]`).first().getAttribute("aria-description");

export async function press(page, key, times = 1) {
  for (let at = 0; at < times; at += 1) await page.keyboard.press(key);
}

/** The address that a server prints. */
export const printed = (server) => `http://${server.http}/#t=${server.token}`;

/** Live, once its server is there, for who came by the printed address. */
export async function live(browser, server, options = {}) {
  const opened = await open(browser, server, `#t=${server.token}`, options);
  await opened.page.goto(`${server.page}#/live`);
  await there(opened.page);
  return opened;
}

/** Opens the printed address in another tab of the same browser. */
export async function openPrinted(page, server) {
  const other = await page.context().newPage();
  await other.goto(printed(server));
  await other.waitForFunction(() => location.hash === "#/");
  return other;
}

export const there = (page, timeout) => page.locator(".live .chip.good", { hasText: "connected" }).waitFor({ timeout });

/** A conversation in Live's list. */
export const row = (page, words) => page.locator(".talk", { hasText: words }).first();

/** A client as plain as can be: says something after each whole answer that it hears. */
export const talk = (address, says) => new Promise((resolve, reject) => {
  const [host, at] = address.split(":");
  const socket = connect(Number(at), host);
  const left = [...says];
  let heard = "";
  socket.on("data", (octets) => {
    heard += octets;
    if (heard.endsWith("\r\n") && left.length) socket.write(`${left.shift()}\r\n`);
  });
  socket.on("close", () => resolve(heard)).on("error", reject);
});

/** Until the service worker has the page's files, and the page. */
export async function kept(page) {
  await page.evaluate(async () => {
    const { active, installing, waiting } = await navigator.serviceWorker.ready;
    const worker = active ?? installing ?? waiting;
    if (worker.state !== "activated") await new Promise((done) => worker.addEventListener("statechange", () => worker.state === "activated" && done()));
  });
  await page.waitForFunction(() => navigator.serviceWorker.controller);
}

/** How much slower than where the bounds were measured the processor is for the page right now; never less than once. */
export const slowness = (page) => page.evaluate(() => {
  const once = () => {
    const start = performance.now();
    let number = 1;
    for (let at = 0; at < 5_000_000; at += 1) number = (Math.imul(number, 1_664_525) + 1_013_904_223) | 0;
    return number === 0 ? 0 : performance.now() - start;
  };
  once();
  return Math.max(1, Math.min(...Array.from({ length: 7 }, once)) / 8);
});
