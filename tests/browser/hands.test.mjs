// What a reader does with their own hands: the sandbox, the prompt and what it is told, reasons, octets of a message, steps.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SIZES, closeDialog, lines, node, open, press, rest, serious, shot, startBrowser, startServer } from "./rig.mjs";

let server, browser;
before(async () => { server = await startServer(); browser = await startBrowser(); });
after(async () => { await browser?.close(); server?.stop(); });

const type = async (page, text, key = "Enter") => {
  await page.fill("#prompt", text);
  await page.press("#prompt", key);
};
/** How far the page can be scrolled, which on a screen of its own height is not at all. */
const scrolls = (page) => page.evaluate(() => document.documentElement.scrollHeight - innerHeight);

for (const [name, size] of Object.entries(SIZES)) {
  test(`the sandbox can be played in, ${name}`, async () => {
    const { page, wrong, close } = await open(browser, server, "#/s/sandbox", { size });
    // One obvious next action.
    const first = page.locator(".first-steps .primary");
    assert.equal(await first.count(), 1);
    await shot(page, `sandbox-${name}`);
    assert.deepEqual(await serious(page), []);
    await first.click();
    await page.locator("dialog[open]").getByRole("button", { name: "Send", exact: true }).click();
    // It is seen on its way, and arrives.
    const map = await page.locator(".map").boundingBox();
    assert.ok(map.y >= 0 && map.y + map.height / 2 < size.height, `the map begins at ${map.y} and is ${map.height} high`);
    await press(page, "End");
    assert.match(await node(page, "hamburger.edu"), /INBOX 1/);
    // Who has begun needs no more than that conversation, and each thing once.
    for (const words of ["Write a letter", "Build", "Faults", "Messages"]) {
      assert.equal(await page.locator(".sandbox .button", { hasText: words }).count(), 1, words);
    }
    if (name === "wide") {
      const [said, first] = await Promise.all([".hands-left .transcript", ".first-steps"].map((place) => page.locator(place).boundingBox()));
      assert.ok(said.height > 200 && first.height < 48, `${said.height} and ${first.height} pixels`);
    } else {
      assert.deepEqual(await page.getByRole("tab").allInnerTexts(), ["Map", "Steps", "Talk", "Why"]);
    }
    // A host goes: mail waits. It comes back, and time passes.
    await page.getByLabel("Hosts …").selectOption("hamburger.edu: switch off");
    await page.locator(".letter-bar button", { hasText: "Write a letter" }).click();
    await page.locator("dialog[open]").getByRole("button", { name: "Send", exact: true }).click();
    await page.locator("#play").waitFor();
    await page.locator(".transport .last").click();
    assert.match(await node(page, "crepes.fr"), /queue 1/);
    await page.getByLabel("Hosts …").selectOption("hamburger.edu: switch on");
    await page.locator(".acts button", { hasText: "Wait 1 h" }).click();
    assert.match(await node(page, "hamburger.edu"), /INBOX 2/);
    // Somebody types, and cuts the line.
    await page.getByLabel("Connect by hand to …").selectOption("hamburger.edu, port 25 (SMTP)");
    await type(page, "HELO crepes.fr");
    assert.match((await lines(page)).at(-1), /^S: 250 /);
    await page.locator(".acts button", { hasText: "Cut the line" }).click();
    await page.locator(".first-steps").waitFor();
    // A fault is had by a click, and said in words.
    await page.locator(".acts button", { hasText: "Faults" }).click();
    await page.locator(".fault", { hasText: "mailbox is full for now" }).getByRole("button", { name: "Add" }).click();
    if (name === "narrow") await page.getByRole("tab", { name: "Map" }).click();
    await page.locator(".goal", { hasText: "the mailbox at hamburger.edu is full" }).waitFor();
    assert.doesNotMatch(await page.locator(".goal").innerText(), /node:/);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
    await shot(page, `sandbox-played-${name}`);
    assert.deepEqual(wrong, []);
    await close();
  });
}

test("beginners' traps are told by name, and of the last line alone", async () => {
  const { page, wrong, close } = await open(browser, server, "#/speak");
  const said = () => page.locator(".refusal").innerText();
  await page.waitForSelector("#prompt");
  for (const [line, words] of [["Subject: hi", /header field/], ["SEND MAIL", /no SEND/], [" HELO x", /very start/]]) {
    await type(page, line);
    assert.match(await said(), words, line);
  }
  await shot(page, "hands-trap");
  await type(page, "NOOP");
  assert.equal(await page.locator(".refusal").count(), 0, "the reason was that line's");
  // Half a line: the server waits, and for what.
  await type(page, "Subject: hi");
  await type(page, "HE", "Control+Enter");
  assert.match(await said(), /waits.*CR LF/s);
  assert.doesNotMatch(await said(), /header field/);
  await type(page, "LO x");
  assert.match((await lines(page)).at(-1), /^S: 250 /);
  assert.equal(await page.locator(".refusal").count(), 0);
  // LF alone.
  await page.locator(".telnet summary").click();
  await page.getByLabel("my lines end with LF alone").check();
  await type(page, "NOOP");
  assert.match(await said(), /LF alone/);
  assert.deepEqual(wrong, []);
  await close();
});

test("a terminal's habits: Tab, ghost, Backspace as an octet, a character at a time, no echo, a paste", async () => {
  const { page, wrong, close } = await open(browser, server, "#/speak");
  await page.waitForSelector("#prompt");
  assert.equal(await page.locator('[role="log"] .line').count(), 1, "the conversation is a log");
  const ghost = () => page.locator(".ghost .rest").textContent();
  assert.notEqual(await ghost(), "", "what may come next is shown");
  await page.focus("#prompt");
  await page.keyboard.type("he");
  assert.match(await ghost(), /^LO /);
  await page.keyboard.press("Tab");
  assert.match(await page.inputValue("#prompt"), /^heLO \S+/);
  await page.keyboard.press("Enter");
  assert.match((await lines(page)).at(-1), /^S: 250 /);
  // An empty field lets Tab go.
  await page.keyboard.press("Tab");
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "prompt");
  await page.locator(".telnet summary").click();
  await page.getByLabel("Backspace sends octet 8").check();
  await page.focus("#prompt");
  await page.keyboard.type("NOX");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("OP");
  await page.keyboard.press("Enter");
  assert.ok((await lines(page)).some((line) => line === "C: NOX⟨08⟩OP"), (await lines(page)).join("\n"));
  assert.match(await page.locator(".refusal").innerText(), /backspace/);
  await page.getByLabel("Backspace sends octet 8").uncheck();
  await page.getByLabel(/a character at a time/).check();
  await page.focus("#prompt");
  await page.keyboard.type("NO");
  assert.equal((await lines(page)).at(-1), "C: NO", "they are sent before the line is");
  await page.keyboard.type("OP");
  await page.keyboard.press("Enter");
  assert.match((await lines(page)).at(-1), /^S: 250 /);
  await page.getByLabel(/a character at a time/).uncheck();
  await page.getByLabel(/no local echo/).check();
  await page.focus("#prompt");
  await page.keyboard.type("NOOP");
  assert.equal(await page.$eval("#prompt", (area) => getComputedStyle(area).color), "rgba(0, 0, 0, 0)");
  await page.keyboard.press("Enter");
  await page.getByLabel(/no local echo/).uncheck();
  await type(page, "EHLO x");
  await page.fill("#prompt", "MAIL FROM:<alice@crepes.fr>\nRCPT TO:<bob@hamburger.edu>");
  await page.press("#prompt", "Enter");
  assert.match(await page.locator(".refusal").innerText(), /2 commands at once.*pipelining.*offered/s);
  await shot(page, "hands-terminal");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("a reply names the command that caused it, with the state before and after", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/crepes-hamburger");
  await press(page, "End");
  await page.getByLabel("Which connection").selectOption({ index: 1 });
  const reply = page.locator(".line.server", { hasText: "Sender ok" }).first();
  await reply.click();
  await page.mouse.move(0, 0);
  const told = page.locator(".inspected");
  assert.match(await told.innerText(), /because\s+C:\s*MAIL FROM:/);
  assert.match(await told.innerText(), /Greeted → MailGiven/);
  await shot(page, "because");
  await told.locator(".causes button").click();
  await page.mouse.move(0, 0);
  assert.match(await told.locator(".quote").innerText(), /^MAIL FROM:/);
  assert.deepEqual(wrong, []);
  await close();
});

test("the lines of a message explain their fields and parts on the wire", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob");
  await press(page, "End");
  await page.getByLabel("Which connection").selectOption({ index: 2 });
  await page.locator(".line.client", { hasText: "Subject:" }).first().click();
  await page.mouse.move(0, 0);
  assert.match(await page.locator(".inspected .laws").innerText(), /RFC 5322 §3\.6\.5/);
  const parts = await page.locator(".tree").innerText();
  for (const label of ["header name", "colon", "header body", "line end"]) assert.match(parts, new RegExp(label));
  await page.locator(".line.client", { hasText: "From:" }).last().locator(".p-code").first().click();
  await page.mouse.move(0, 0);
  assert.match(await page.locator(".inspected .label").innerText(), /address/);
  await shot(page, "inside-a-message");
  assert.deepEqual(wrong, []);
  await close();
});

test("scenario 2 has the book's six steps, in the list and on the map", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob");
  assert.equal(await page.locator(".badge").count(), 6);
  assert.equal(await page.locator(".badge.reached").count(), 0);
  await press(page, "End");
  await page.locator(".step-number").nth(5).waitFor();
  assert.deepEqual(await page.locator(".step-number").allInnerTexts(), ["1", "2", "3", "4", "5", "6"]);
  assert.equal(await page.locator(".badge.reached").count(), 6);
  await shot(page, "six-steps");
  // And then there is somewhere to go.
  const onward = page.locator(".onward");
  assert.match(await onward.innerText(), /Next: crepes\.fr and hamburger\.edu/);
  assert.match(await onward.innerText(), /Type it yourself/);
  await onward.getByRole("link", { name: /^Challenge/ }).click();
  await page.waitForSelector(".task");
  assert.deepEqual(wrong, []);
  await close();
});

test("the book's lines stand beside a server in its own words, each difference with its section", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/crepes-hamburger");
  await page.locator("#book").click();
  const rows = page.locator(".book-lines tbody tr");
  assert.equal(await rows.count(), 15);
  for (const row of await rows.all()) {
    const [, strict, why] = await row.locator("td").allInnerTexts();
    if (strict !== "the same") assert.match(why, /RFC \d+ §/, strict);
  }
  await shot(page, "book");
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("secrets are masked, unless the scenario is about them or somebody asks", async () => {
  const { page, wrong, close } = await open(browser, server, "#/s/pop-phases");
  const said = async () => {
    await press(page, "End");
    const choice = page.getByLabel("Which connection");
    const all = [];
    for (let at = 1; at < await choice.locator("option").count(); at += 1) {
      await choice.selectOption({ index: at });
      all.push(...await lines(page));
    }
    return all.join("\n");
  };
  assert.match(await said(), /PASS hungry/i);
  await page.evaluate(() => { location.hash = "#/s/pop-cut"; });
  await page.locator(".where", { hasText: "cut before" }).waitFor();
  assert.match(await said(), /•••/);
  await page.locator("#secrets").click();
  assert.match(await page.locator("dialog[open] .defect").innerText(), /reads them/);
  await page.getByLabel("Show secrets").check();
  await closeDialog(page);
  assert.doesNotMatch(await said(), /•••/);
  assert.deepEqual(wrong, []);
  await close();
});

for (const [name, size, theme] of [["wide", SIZES.wide, "light"], ["narrow", SIZES.narrow, "dark"]]) {
  test(`help with typing: none, hints, completion, or nothing but choosing; it is remembered, ${name}`, async () => {
    const { page, wrong, close } = await open(browser, server, "#/speak", { size, theme });
    await page.waitForSelector("#prompt");
    const help = (value) => page.getByLabel("Help with typing").selectOption(value);
    const offered = () => page.locator(".palette button").count();
    const ghost = async (text) => { await page.fill("#prompt", text); return page.locator(".ghost .rest").textContent(); };
    assert.equal(await ghost("HE"), "LO crepes.fr", "completion is what there is at first");
    assert.ok(await offered() > 3);
    await help("hints");
    assert.ok(await offered() > 3);
    assert.equal(await ghost("HE"), "");
    await help("off");
    assert.equal(await offered(), 0);
    assert.equal(await ghost("HE"), "");
    await page.fill("#prompt", "");
    // Asked for, it is there, by keys alone: arrows, Enter, and Esc.
    await page.focus("#prompt");
    await page.keyboard.press("Control+Space");
    const at = () => page.evaluate(() => document.activeElement.querySelector("code")?.textContent);
    await page.waitForFunction(() => document.activeElement.closest(".palette"));
    await shot(page, `hands-asked-${name}`);
    const first = await at();
    await page.keyboard.press("ArrowDown");
    const second = await at();
    assert.ok(second && second !== first, second);
    await page.keyboard.press("ArrowUp");
    assert.equal(await at(), first);
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement.id), "prompt");
    await page.keyboard.press("Control+Space");
    await page.waitForFunction(() => document.activeElement.closest(".palette"));
    while (!/^HELO/.test(await at())) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await page.inputValue("#prompt"), "HELO crepes.fr");
    await page.keyboard.press("Enter");
    assert.match((await lines(page)).at(-1), /^S: 250 /);
    assert.equal(await offered(), 0, "it was asked for once");
    // Nothing is typed: a letter goes by choosing alone, and by keys.
    await help("choose");
    assert.equal(await page.locator("#prompt").count(), 0);
    await page.reload();
    await page.locator(".chosen .palette button").first().waitFor();
    assert.equal(await page.locator("#prompt").count(), 0, "it is remembered");
    for (const [line, answer] of [["HELO", 250], ["MAIL", 250], ["RCPT", 250], ["DATA", 354], ["Do you", 0], [".", 250]]) {
      const before = (await lines(page)).length;
      const one = page.locator(".chosen .palette button").filter({ has: page.locator("code", { hasText: line === "." ? /^\.$/ : line }) }).first();
      await one.focus();
      await page.keyboard.press("Enter");
      await page.waitForFunction((before) => document.querySelectorAll(".lines .line").length > before, before);
      if (answer) assert.match((await lines(page)).at(-1), new RegExp(`^S: ${answer} `), line);
      await page.waitForFunction(() => document.activeElement.closest(".palette"));
    }
    await page.locator(".state-pane", { hasText: "Bob's mailbox holds 4 messages." }).waitFor();
    await shot(page, `hands-choose-${name}`);
    assert.deepEqual(await serious(page), []);
    assert.deepEqual(wrong, []);
    await close();
  });
}

test("a time-out counts down in the world's time, and strikes", async () => {
  const { page, wrong, close } = await open(browser, server, "#/speak");
  const left = async () => {
    const [, minutes, seconds] = /in (\d+):(\d\d),/.exec(await page.locator(".time-out").innerText());
    return Number(minutes) * 60 + Number(seconds);
  };
  await type(page, "HELO crepes.fr");
  const first = await left();
  assert.ok(first > 290 && first <= 300, `${first} s`);
  await page.getByRole("button", { name: "Wait a minute" }).click();
  assert.equal(await left(), first - 60);
  await type(page, "NOOP");
  assert.equal(await left(), first, "each line begins it anew");
  for (let minutes = 0; minutes < 5; minutes += 1) await page.getByRole("button", { name: "Wait a minute" }).click();
  await page.getByText("The connection is over.").waitFor();
  assert.match((await lines(page)).at(-1), /^S: 421 /);
  assert.equal(await page.locator(".time-out").count(), 0);
  assert.deepEqual(wrong, []);
  await close();
});

for (const [name, size, theme] of [["wide", SIZES.wide, "light"], ["narrow", SIZES.narrow, "dark"]]) {
  test(`a challenge shows its goal and takes back what was done, ${name}`, async () => {
    const { page, wrong, close } = await open(browser, server, "#/c/say-helo", { size, theme });
    const undo = page.locator(".task").getByRole("button", { name: "Undo" });
    assert.ok(await undo.isDisabled(), "nothing was done");
    await page.getByLabel("Connect by hand to …").selectOption("hamburger.edu, port 25 (SMTP)");
    await type(page, "HELO crepes.fr");
    await page.locator(".solved").waitFor();
    await undo.click();
    await page.locator(".solved").waitFor({ state: "detached" });
    assert.equal((await lines(page)).some((line) => line.includes("HELO")), false);
    await type(page, "NOOP");
    await undo.click();
    await undo.click();
    await page.locator(".first-steps").waitFor();
    assert.ok(await undo.isDisabled(), "all is taken back");
    // What lies where at the end, and not how it came there.
    await page.evaluate(() => { location.hash = "#/c/seven-bit-hop"; });
    const show = page.getByRole("button", { name: "Show the goal" });
    await show.focus();
    await page.keyboard.press("Enter");
    await page.locator(".goal-state", { hasText: "bob@hamburger.edu, INBOX: 2 messages, 2 unread" }).waitFor();
    assert.match(await node(page, "hamburger.edu"), /INBOX 2/);
    assert.equal(await page.locator(".line").count(), 0);
    assert.doesNotMatch(await page.locator(".goal-state").innerText(), /Greek|Q3LD/);
    await page.waitForFunction(() => document.activeElement.closest(".goal-state"));
    await shot(page, `challenge-goal-${name}`);
    assert.deepEqual(await serious(page), []);
    await page.keyboard.press("Enter");
    await page.locator(".goal-state").waitFor({ state: "detached" });
    assert.match(await node(page, "hamburger.edu"), /INBOX 0|bob 0|queue 0/);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Show the goal");
    assert.equal(await page.locator(".goal-row.held").count(), 0, "it is still to be done");
    assert.deepEqual(wrong, []);
    await close();
  });
}

test("the first page knows what was seen and finished, goes on where one was, and forgets it", async () => {
  const { page, wrong, close } = await open(browser, server, "#/");
  const card = (title) => page.locator(".scenario", { hasText: title });
  const home = async () => { await page.evaluate(() => { location.hash = "#/"; }); await page.locator("#all").waitFor(); };
  assert.equal(await page.getByText("Forget my progress").count(), 0);
  await page.evaluate(() => { location.hash = "#/s/alice-to-bob"; });
  await page.locator("#play").waitFor();
  await press(page, "End");
  await page.waitForFunction(() => localStorage.getItem("pillarbox.progress")?.includes("alice-to-bob!"));
  await page.evaluate(() => { location.hash = "#/s/asleep"; });
  await page.waitForFunction(() => document.title.includes("asleep"));
  await press(page, "ArrowRight", 5);
  await page.waitForFunction(() => localStorage.getItem("pillarbox.place")?.startsWith("asleep/"));
  const clock = () => page.locator(".slider").first().getAttribute("aria-valuetext");
  const place = await clock();
  await home();
  await card("Alice sends to Bob").locator(".chip", { hasText: "finished" }).waitFor();
  await card("What if Bob's server is asleep?").locator(".chip", { hasText: "seen" }).waitFor();
  assert.match(await page.locator(".section-head").innerText(), /1 of \d+ finished/);
  await shot(page, "home-progress");
  assert.deepEqual(await serious(page), []);
  // The page that is loaded again still knows.
  await page.reload();
  await page.getByRole("link", { name: "Continue: What if Bob's server is asleep?" }).click();
  await page.locator("#play").waitFor();
  assert.equal(await clock(), place);
  await home();
  await page.getByRole("button", { name: "Forget my progress" }).click();
  assert.equal(await page.locator(".scenario .chip").count(), 0);
  assert.equal(await page.getByRole("link", { name: /Continue/ }).count(), 0);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key !== "pillarbox.theme")), []);
  assert.deepEqual(wrong, []);
  await close();
});

test("F6 goes from pane to pane on every screen, and back with Shift, and is seen", async () => {
  for (const size of [SIZES.wide, SIZES.narrow]) {
    const { page, wrong, close } = await open(browser, server, "#/", { size });
    for (const route of ["#/", "#/s/alice-to-bob", "#/s/sandbox", "#/speak", "#/access", "#/wire", "#/compare", "#/message", "#/c", "#/c/say-helo", "#/live"]) {
      await page.evaluate((route) => { location.hash = route; document.activeElement.blur(); }, route);
      await rest(page);
      const here = () => page.evaluate(() => {
        const pane = document.activeElement, style = getComputedStyle(pane);
        return { pane: `${pane.className} ${pane.getAttribute("aria-label") ?? ""}`, seen: parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none" };
      });
      const all = [];
      for (let times = 0; times < 12; times += 1) {
        await page.keyboard.press("F6");
        const { pane, seen } = await here();
        assert.ok(seen, `${route}: ${pane}`);
        if (all[0] === pane) break;
        all.push(pane);
      }
      const least = ["#/c", "#/live"].includes(route) ? 2 : 3;
      assert.ok(all.length >= least, `${route} at ${size.width}: ${all}`);
      await page.keyboard.press("Shift+F6");
      assert.equal((await here()).pane, all.at(-1), route);
    }
    assert.deepEqual(wrong.filter((one) => !/WebSocket|Failed to load/.test(one)), []);
    await close();
  }
});

test("a challenge begins at its own door, with nothing achieved", async () => {
  for (const [id, door] of [["read-by-pop", /port 110/], ["file-the-invoice", /port 143/], ["say-helo", /port 25 /]]) {
    const { page, wrong, close } = await open(browser, server, `#/c/${id}`);
    assert.match(await page.locator(".first-steps .primary").first().innerText(), door, id);
    assert.equal(await page.locator(".goal-row.held").count(), 0, id);
    assert.deepEqual(wrong, []);
    await close();
  }
});

test("screens of the window's height do not scroll, and Wire shows the line that it chose", async () => {
  for (const size of [SIZES.wide, SIZES.narrow]) {
    const { page, wrong, close } = await open(browser, server, "#/s/alice-to-bob", { size });
    for (const route of ["#/s/alice-to-bob", "#/s/sandbox", "#/speak", "#/wire", "#/compare", "#/c/say-helo"]) {
      await page.evaluate((route) => { location.hash = route; }, route);
      await rest(page);
      assert.equal(await scrolls(page), 0, `${route} at ${size.width}`);
    }
    assert.deepEqual(wrong, []);
    await close();
  }
  const { page, wrong, close } = await open(browser, server, "#/wire");
  const lit = page.locator(".lines .line.lit").first();
  await lit.waitFor();
  await rest(page);
  const seen = await lit.evaluate((line) => {
    const list = line.closest(".lines").getBoundingClientRect(), own = line.getBoundingClientRect();
    return own.top >= list.top - 1 && own.bottom <= list.bottom + 1;
  });
  assert.ok(seen, "the chosen line is in sight");
  await shot(page, "wire-first");
  assert.deepEqual(wrong, []);
  await close();
});

test("the map's words can be read: nowhere below 11 pixels, and titles are whole", async () => {
  for (const [name, size] of Object.entries(SIZES)) {
    const { page, wrong, close } = await open(browser, server, "#/", { size });
    const ids = await page.$$eval("a.scenario", (cards) => cards.map((card) => card.getAttribute("href")));
    const small = [];
    for (const id of ids.filter((id) => id.startsWith("#/s/"))) {
      await page.evaluate((id) => { location.hash = id; }, id);
      await page.waitForSelector(".map");
      await rest(page);
      const least = await page.$eval(".map", (map) => {
        const scale = map.getScreenCTM().a;
        return Math.min(...[...map.querySelectorAll("text")].map((text) => parseFloat(getComputedStyle(text).fontSize) * scale));
      });
      if (least < 11) small.push(`${id} ${least.toFixed(1)}`);
    }
    assert.deepEqual(small, [], name);
    assert.deepEqual(wrong, []);
    await close();
  }
  const { page, close } = await open(browser, server, "#/s/crepes-hamburger");
  await press(page, "End");
  await page.waitForSelector(".line");
  const cut = await page.$eval(".transcript .pane-title", (title) => title.scrollWidth > title.clientWidth);
  assert.equal(cut, false);
  await close();
});
