// A mail server for the tests of a program that sends mail: one file, for Node 18 and later, with nothing but Node itself.
//
// Copy it beside your tests, and have `pillarbox` in the path (or its place in PILLARBOX). With node:test:
//
//     import { Server } from "./pillarbox-testing.mjs";
//     const server = await Server.start();
//     after(() => server.stop());
//     test("reset", async () => {
//         const mail = await server.inbox("reset");
//         await askForANewPassword(server.smtp, mail.address);
//         const link = (await mail.wait({ subject: "Reset" })).link("/reset/");
//     });
//
// With Playwright (one server for each worker, an address for each test):
//
//     import { test as base } from "@playwright/test";
//     import { fixtures } from "./pillarbox-testing.mjs";
//     export const test = base.extend(fixtures);
//     test("reset", async ({ page, mail }) => { … mail.address … await mail.wait({ subject: "Reset" }) … });
//
// Waiting is by exact match and without sleeping, so tests may run beside each other. A test that fails shows what came
// instead, where to look at it, and what was said in its conversations.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { openSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Milliseconds that are waited for mail, unless a test says. */
const WAIT = 10_000;
/** Milliseconds for a start, on a busy machine. */
const START = 60_000;
/** Conversations that a failure shows, and lines of each of them. */
const SHOWN = 4, LINES = 60;

/** What was waited for did not come, or is not there. */
export class Failure extends Error {}

/** A running server. */
export class Server {
    #process;
    #directory;

    constructor(process, directory, addresses) {
        this.#process = process;
        this.#directory = directory;
        /** By service, `host:port`. */
        this.addresses = addresses;
    }

    /** Starts one; `flags` are those of `pillarbox serve`. */
    static async start({ flags = [], binary = process.env.PILLARBOX ?? "pillarbox" } = {}) {
        const directory = await mkdtemp(join(tmpdir(), "pillarbox-"));
        const words = ["serve", "--memory", "--json", "--exit-with-parent", "--trace-sessions", join(directory, "traces")];
        for (const service of ["smtp", "pop3", "imap", "http"]) {
            // A place that is named twice is a mistake, so a flag of the test's own takes this one's place.
            if (!flags.some((flag) => flag === `--${service}` || flag.startsWith(`--${service}=`))) words.push(`--${service}`, "127.0.0.1:0");
        }
        // Variables of whoever runs the tests are for other servers.
        const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PILLARBOX")));
        const log = openSync(join(directory, "log"), "w");
        const child = spawn(binary, [...words, ...flags], { stdio: ["ignore", "pipe", log], env: clean });
        closeSync(log);
        try {
            return new Server(child, directory, JSON.parse(await firstLine(child)));
        } catch (error) {
            child.kill("SIGKILL");
            const said = (await readFile(join(directory, "log"), "utf8")).trim();
            await rm(directory, { recursive: true, force: true });
            throw new Failure(`${binary} did not start: ${said || error.message}; build it, or name it in PILLARBOX`);
        }
    }

    /** Ends it. */
    async stop() {
        if (this.#process.exitCode === null) {
            const ended = new Promise((resolve) => this.#process.once("exit", resolve));
            this.#process.kill();
            await ended;
        }
        await rm(this.#directory, { recursive: true, force: true });
    }

    /** Host and port of a service. */
    place(service) {
        const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(this.addresses[service]);
        return { host, port: Number(port) };
    }

    /** Host and port of SMTP. */
    get smtp() { return this.place("smtp"); }

    /** Where the pages and the interface for tests are. */
    get url() { return `http://${this.addresses.http}`; }

    /** An address that no other test has. */
    async inbox(name = "") {
        const word = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 30);
        const { address, password } = (await this.ask(`/api/inboxes?name=${word}`, { method: "POST" })).body;
        return new Inbox(this, address, password);
    }

    /** Keeps all mail as it is now, to be put back by `restore`. */
    snapshot(name = "default") { return this.#change(`/api/snapshot?name=${name}`); }

    /** Puts users, mailboxes, messages and flags back as they were at `snapshot`. */
    restore(name = "default") { return this.#change(`/api/restore?name=${name}`); }

    async #change(path) {
        const { status, body } = await this.ask(path, { method: "POST" });
        if (status !== 200 && status !== 201) throw new Failure(`the server says ${status}: ${body.Error}`);
    }

    /** What the server answers: the status, and the JSON or the octets. */
    async ask(path, init = {}) {
        const answer = await fetch(this.url + path, init);
        const json = answer.headers.get("content-type")?.includes("json");
        return { status: answer.status, body: json ? await answer.json() : Buffer.from(await answer.arrayBuffer()) };
    }

    /** Messages, newest first, once there are `count` of them; with `count: 0`, that for `timeout` ms there is none. */
    async wait({ to, from, subject, count = 1, timeout = WAIT } = {}) {
        const given = { to, from, subject };
        const named = Object.entries(given).filter(([, value]) => value !== undefined);
        const query = new URLSearchParams([...named, ["count", count], ["timeout", `${timeout}ms`]]);
        const { status, body } = await this.ask(`/api/wait?${query}`);
        if (status !== 200 && status !== 408 && status !== 409) {
            throw new Failure(`the server says ${status}: ${body.Error ?? body}`);
        }
        if (status === 200) return Promise.all(body.messages.map((listed) => Message.read(this, listed)));
        const what = [body.error + named.map(([name, value]) => `, ${name} \`${value}\``).join("")];
        what.push(...body.messages.map((listed) => `  came: ${this.line(listed)}`));
        what.push(...(body.others ?? []).map((listed) => `  there is: ${this.line(listed)}`));
        throw new Failure([...what, await this.transcripts()].join("\n"));
    }

    /** A message on one line, with where to look at it. */
    line({ ID, From, To, Bcc, Subject }) {
        const to = [...To, ...Bcc].map((party) => party.Address).join(", ");
        return `${From.Address} -> ${to}  \`${Subject}\`  ${this.url}/view/${ID}`;
    }

    /** What was said in the latest conversations, explained, with secrets masked. */
    async transcripts() {
        const directory = join(this.#directory, "traces");
        const names = (await readdir(directory).catch(() => [])).sort().slice(-SHOWN);
        if (names.length === 0) return "nobody connected to the server";
        const texts = await Promise.all(names.map((name) => readFile(join(directory, name), "utf8")));
        return "what was said:\n" + texts.map((text) => text.trimEnd().split("\n").slice(-LINES).join("\n")).join("\n\n");
    }
}

/** An address of one test. */
export class Inbox {
    constructor(server, address, password) {
        this.server = server;
        /** Where the test has its mail sent; it logs in to IMAP and POP3 by this name too. */
        this.address = address;
        this.password = password;
    }

    /** The one message that came here, or comes in time. */
    async wait({ from, subject, timeout } = {}) {
        const found = await this.server.wait({ to: this.address, from, subject, timeout });
        if (found.length > 1) {
            const all = found.map((message) => `  ${this.server.line(message.listed)}`).join("\n");
            throw new Failure(`one message should be there, and these are:\n${all}`);
        }
        return found[0];
    }

    /** So many messages, newest first. */
    waitFor(count, { timeout } = {}) { return this.server.wait({ to: this.address, count, timeout }); }

    /** That nothing is here, and for so many milliseconds nothing comes. */
    async staysEmpty(timeout = 500) { await this.server.wait({ to: this.address, count: 0, timeout }); }
}

/** A message that came. */
export class Message {
    constructor(server, listed, read) {
        this.listed = listed;
        this.id = listed.ID;
        this.subject = listed.Subject;
        this.from = listed.From.Address;
        /** Where a person can look at it. */
        this.url = `${server.url}/view/${listed.ID}`;
        /** Its text, all its octets, its links, and the codes that are typed somewhere. */
        Object.assign(this, read);
    }

    static async read(server, listed) {
        const get = async (path) => {
            const { status, body } = await server.ask(path);
            if (status !== 200) throw new Failure(`${path}: the server says ${status}`);
            return body;
        };
        const of = `/api/messages/${listed.ID}`;
        const [text, raw, links, codes] = await Promise.all(
            [`/view/${listed.ID}.txt`, `${of}/raw`, `${of}/links`, `${of}/codes`].map(get));
        return new Message(server, listed, { text: text.toString(), raw, links, codes });
    }

    /** The first link with this in it. */
    link(part = "") {
        const found = this.links.find((link) => link.includes(part));
        if (found) return found;
        throw new Failure(`no link has \`${part}\` in it; there are ${JSON.stringify(this.links)}\n  the message is at ${this.url}`);
    }

    /** The first code. */
    get code() {
        if (this.codes.length > 0) return this.codes[0];
        throw new Failure(`it has no code\n  the message is at ${this.url}`);
    }
}

/** For Playwright's `test.extend`. */
export const fixtures = {
    mailServer: [async ({}, use) => {
        const server = await Server.start();
        await use(server);
        await server.stop();
    }, { scope: "worker" }],
    mail: async ({ mailServer }, use, info) => use(await mailServer.inbox(info.title)),
};

function firstLine(child) {
    return new Promise((resolve, reject) => {
        let text = "";
        const late = setTimeout(() => reject(new Error("it took too long")), START);
        const end = (done, value) => { clearTimeout(late); done(value); };
        child.once("error", (error) => end(reject, error));
        child.once("exit", (code) => end(reject, new Error(`it ended with ${code}`)));
        child.stdout.on("data", (octets) => {
            text += octets;
            if (text.includes("\n")) end(resolve, text.split("\n")[0]);
        });
    });
}
