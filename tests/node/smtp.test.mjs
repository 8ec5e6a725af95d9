// One mail through the component in Node, from the greeting to the goodbye, by the driver's own protocol.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { built } from "./built.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const NOW = { monotonicMs: 1, unixMs: 1767603600000 };
const LIMITS = {
  messageMax: 52428800, headerMax: 1048576, lineMax: 4096, lineAfterLoginMax: 4096, authLineMax: 12288,
  recipientsMax: 1000, receivedMax: 100, errorsMax: 20, errorsSlow: 10, idleCommandsMax: 100, literalsMax: 0,
  messagesMax: 0, dataRateMin: 500, deliverByMinS: 60, holdMaxS: 2592000,
  idleBeforeLoginMs: 300000, idleMs: 300000,
};
const CONFIG = {
  hostName: octets("mx.example"), service: "smtp", peer: { address: octets("192.0.2.7"), name: null },
  sessionId: octets("s1"), tls: "none", auth: { mechanisms: [], passwordCommands: false, cleartext: false },
  authRequired: false, persona: "strict", lenient: false, verify: false, returnPath: false, faults: false, index: true, limits: LIMITS, trace: false,
  extensions: {
    pipelining: true, size: true, eightBitMime: true, smtputf8: true, enhancedStatusCodes: true,
    chunking: true, binaryMime: true, dsn: false, requireTls: true, deliverBy: false, futureRelease: false,
    mtPriority: true, limits: true, etrn: false, xclient: false,
  },
};

function octets(text) {
  return [...Buffer.from(text)];
}

class Driver {
  constructor() {
    this.child = spawn(process.execPath, [join(HERE, "drive.mjs"), built()], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    return JSON.parse(await this.askLine(JSON.stringify(request)));
  }

  async askLine(line) {
    this.child.stdin.write(`${line}\n`);
    const { value, done } = await this.lines.next();
    assert.ok(!done, "the driver ended early");
    return value;
  }

  // Offers octets and answers every ask, until the session waits or closes; gives what it said and asked.
  async say(text, answers = {}) {
    const said = [];
    const asked = [];
    const inputs = [{ tag: "receive", val: octets(text) }];
    let closed = false;
    while (inputs.length > 0) {
      const { ok } = await this.ask({ verb: "step", session: 1, now: NOW, input: inputs.shift() });
      for (const { tag, val } of ok.outputs) {
        if (tag === "transmit") said.push(Buffer.from(val).toString());
        if (tag === "close") closed = true;
        if (tag !== "ask") continue;
        const [id, ask] = val;
        asked.push(ask);
        inputs.push({ tag: "answer", val: [id, answers[ask.tag] ?? { tag: "done" }] });
      }
      const last = ok.outputs.at(-1).tag;
      if (inputs.length === 0 && last !== "wait" && last !== "close") inputs.push({ tag: "nothing" });
    }
    return { said: said.join(""), asked, closed };
  }

  end() {
    this.child.stdin.end();
  }
}

test("a mail goes through the component in Node", async () => {
  const driver = new Driver();
  try {
    const began = await driver.ask({ verb: "new", session: 1, role: "smtp-server", config: CONFIG, now: NOW });
    assert.deepEqual(began, { ok: null });
    assert.match((await driver.say("")).said, /^220 mx\.example /);
    assert.match((await driver.say("EHLO crepes.fr\r\n")).said, /250-PIPELINING\r\n(.*\r\n)*250 /);

    const sender = await driver.say("MAIL FROM:<alice@crepes.fr> SIZE=40\r\n");
    assert.match(sender.said, /^250 /);
    assert.equal(sender.asked[0].tag, "sender");
    assert.equal(Buffer.from(sender.asked[0].val.reversePath.localPart).toString(), "alice");
    assert.equal(sender.asked[0].val.size, 40);
    const refused = { tag: "refused", val: { reason: "not-found", text: null } };
    assert.match((await driver.say("RCPT TO:<eve@hamburger.edu>\r\n", { recipient: refused })).said, /^550 5\.1\.1 /);
    assert.match((await driver.say("RCPT TO:<bob@hamburger.edu>\r\nDATA\r\n")).said, /^250 .*\r\n354 /);

    const committed = { tag: "committed", val: { id: octets("m1"), fates: [] } };
    const text = "Do you like ketchup?\r\nHow about pickles?\r\n";
    const data = await driver.say(`${text}..dot\r\n.\r\n`, { commit: committed });
    assert.match(data.said, /^250 .*m1/);
    const chunks = data.asked.filter(({ tag }) => tag === "chunk").map(({ val }) => val);
    const envelope = data.asked.at(-1).val;
    const message = Buffer.concat([...chunks, envelope.last].map((octets) => Buffer.from(octets))).toString();
    assert.ok(message.endsWith(`${text}.dot\r\n`), message);
    assert.equal(envelope.size, message.length);

    const quit = await driver.say("QUIT\r\n");
    assert.match(quit.said, /^221 /);
    assert.ok(quit.closed);
  } finally {
    driver.end();
  }
});

test("a host's mistake is told, and changes nothing", async () => {
  const driver = new Driver();
  try {
    await driver.ask({ verb: "new", session: 1, role: "smtp-server", config: CONFIG, now: NOW });
    // A client that speaks before the greeting would be shown out.
    assert.match((await driver.say("")).said, /^220 mx\.example /);
    const answer = { tag: "answer", val: [77, { tag: "done" }] };
    const reply = await driver.ask({ verb: "step", session: 1, now: NOW, input: answer });
    assert.deepEqual(reply, { misuse: "unknown-ask" });
    assert.match((await driver.say("NOOP\r\n")).said, /^250 /);
  } finally {
    driver.end();
  }
});

test("numbers wider than a double come through whole", async () => {
  const driver = new Driver();
  try {
    const began = { verb: "new", session: 1, role: "smtp-server", config: CONFIG, now: "LATE" };
    // 2^53 + 1 is no double; the deadline is five minutes later.
    const late = '{"monotonicMs":9007199254740993,"unixMs":1}';
    await driver.askLine(JSON.stringify(began).replace('"LATE"', late));
    const step = `{"verb":"step","session":1,"now":${late},"input":{"tag":"nothing"}}`;
    assert.match(await driver.askLine(step), /\{"tag":"wait","val":9007199255040993\}/);
  } finally {
    driver.end();
  }
});
