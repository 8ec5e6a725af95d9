// Drives sessions of the component in Node: one JSON request a line on stdin, one JSON reply a line on stdout.
//
//   node drive.mjs COMPONENT.wasm
//
// Requests, in the shapes of the contract (variants as {tag, val}, octets as numbers, fields in camelCase):
//   {"verb":"new","session":1,"role":"smtp-server","config":{…},"now":{…}}
//   {"verb":"step","session":1,"now":{…},"input":{"tag":"receive","val":[…]}}
//   {"verb":"receive","session":1,"now":{…},"octets":[…]}      and receive-end, secured, answer, call, tick, poll
//   {"verb":"drop","session":1}
//   {"verb":"freeze","session":1}                                  null if its state has no such form; else it is dropped
//   {"verb":"thaw","session":1,"role":"imap-server","config":{…},"now":{…},"frozen":[…]}
//   {"verb":"farewell","role":"smtp-server","reason":"fault"}   {"verb":"index","octets":[…],"totalSize":…}
// Replies: {"ok":…}, {"misuse":"…"} after a mistake of the host, {"trap":"…"} when the instance is lost.

import { createInterface } from "node:readline";
import { load, parse, print } from "./component.mjs";

const ROLES = {
  "smtp-server": "smtpServer", "smtp-client": "smtpClient", "pop3-server": "pop3Server", "pop3-client": "pop3Client",
  "imap-server": "imapServer", "imap-client": "imapClient",
};

const component = await load(process.argv[2]);
const sessions = new Map();

const VERBS = {
  new({ session, role, config, now }) {
    const { Session } = component.instance()[ROLES[role]];
    sessions.set(session, new Session(config, now));
  },
  drop({ session }) {
    sessions.delete(session);
  },
  freeze({ session }) {
    try {
      const frozen = of(session).freeze();
      sessions.delete(session);
      return frozen;
    } catch (error) {
      if (error !== "wrong-state") throw error;
      return null;
    }
  },
  thaw({ session, role, config, now, frozen }) {
    const { Session } = component.instance()[ROLES[role]];
    sessions.set(session, Session.thaw(config, now, frozen));
  },
  step: ({ session, now, input }) => of(session).step(now, input),
  receive: ({ session, now, octets }) => of(session).receive(now, octets),
  "receive-end": ({ session, now }) => of(session).receiveEnd(now),
  secured: ({ session, now, facts }) => of(session).secured(now, facts),
  answer: ({ session, now, id, answer }) => of(session).answer(now, id, answer),
  call: ({ session, now, call }) => of(session).call(now, call),
  tick: ({ session, now }) => of(session).tick(now),
  poll: ({ session }) => of(session).poll(),
  farewell: ({ role, reason }) => component.instance()[ROLES[role]].farewell(reason),
  index: ({ octets, totalSize }) => component.instance().mime.index(octets, BigInt(totalSize)),
};

function of(session) {
  const found = sessions.get(session);
  if (!found) throw new Error(`no session ${session}`);
  return found;
}

function reply(line) {
  const { verb, ...request } = component.toComponent(parse(line));
  if (!Object.hasOwn(VERBS, verb)) throw new Error(`no verb ${verb}`);
  try {
    return { ok: VERBS[verb](request) ?? null };
  } catch (error) {
    // jco throws what the error case of a result holds.
    if (typeof error === "string") return { misuse: error };
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    sessions.delete(request.session);
    return { trap: error.message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${print(reply(line))}\n`);
}
