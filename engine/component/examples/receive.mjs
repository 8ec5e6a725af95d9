// A mail server in a page or a test of Node, without a process and without a socket: octets in, octets out.
//
//   pillarbox component pillarbox.wasm
//   npx @bytecodealliance/jco transpile pillarbox.wasm --name pillarbox --instantiation sync -o pillarbox
//   node receive.mjs pillarbox/pillarbox.js
//
// What a session asks (is this recipient known? here is a part of the message), the program answers; it keeps the mail.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Node has this from version 25 on; nothing of the component suspends, so the function itself will do.
WebAssembly.promising ??= (called) => called;

const octets = (text) => new TextEncoder().encode(text);
const text = (octets) => new TextDecoder().decode(octets);
const now = () => ({ monotonicMs: BigInt(Math.floor(performance.now())), unixMs: BigInt(Date.now()) });

const config = {
  hostName: octets("hamburger.edu"), service: "smtp", peer: { address: octets("192.0.2.7") }, sessionId: octets("s1"),
  tls: "none", auth: { mechanisms: [], passwordCommands: false, cleartext: false }, authRequired: false, persona: "strict",
  lenient: false, verify: false, returnPath: false, faults: false, index: false, trace: false,
  limits: {
    messageMax: 52428800n, headerMax: 1048576, lineMax: 4096, lineAfterLoginMax: 4096, authLineMax: 12288,
    recipientsMax: 1000, receivedMax: 100, errorsMax: 20, errorsSlow: 10, idleCommandsMax: 100, literalsMax: 0,
    messagesMax: 0, dataRateMin: 500, deliverByMinS: 60, holdMaxS: 2592000, idleBeforeLoginMs: 300000n, idleMs: 300000n,
  },
  extensions: {
    pipelining: true, size: true, eightBitMime: true, smtputf8: true, enhancedStatusCodes: true, chunking: true,
    binaryMime: true, dsn: false, requireTls: false, deliverBy: false, futureRelease: false, mtPriority: false,
    limits: false, etrn: false, xclient: false,
  },
};

const file = resolve(process.argv[2]);
const { instantiate } = await import(pathToFileURL(file));
const core = (name) => new WebAssembly.Module(readFileSync(resolve(file, "..", name)));
// The component imports nothing, so nothing is given to it.
const { smtpServer } = instantiate(core, {});
const session = new smtpServer.Session(config, now());

// The mail that came: pieces of the message that is on its way.
let message = "";

function answer(ask) {
  if (ask.tag === "chunk") message += text(ask.val);
  if (ask.tag !== "commit") return { tag: "done" };
  message += text(ask.val.last);
  return { tag: "committed", val: { id: octets("1"), fates: [] } };
}

function show(who, lines) {
  for (const line of lines.trimEnd().split("\r\n")) console.log(`${who}: ${line}`);
}

// Gives the session what the client says, and the client what the session says to it.
function say(line) {
  show("C", line);
  step({ tag: "receive", val: octets(line) });
}

function step(first) {
  const inputs = [first];
  while (inputs.length > 0) {
    const { outputs } = session.step(now(), inputs.shift());
    for (const { tag, val } of outputs) {
      if (tag === "transmit") show("S", text(val));
      if (tag === "ask") inputs.push({ tag: "answer", val: [val[0], answer(val[1])] });
    }
    const more = !["wait", "close"].includes(outputs.at(-1)?.tag);
    if (inputs.length === 0 && more) inputs.push({ tag: "nothing" });
  }
}

step({ tag: "nothing" });
say("EHLO crepes.fr\r\n");
say("MAIL FROM:<alice@crepes.fr>\r\n");
say("RCPT TO:<bob@hamburger.edu>\r\n");
say("DATA\r\n");
say("Subject: Ketchup\r\n\r\nDo you like ketchup?\r\n.\r\n");
say("QUIT\r\n");
console.log(`\n${message}`);
