// The fixture for node:test and Playwright, by a program that sends mail.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { after, test } from "node:test";

process.env.PILLARBOX ??= new URL("../../target/release/pillarbox", import.meta.url).pathname;
const { Failure, Server, fixtures } = await import("../../host-native/testing/pillarbox-testing.mjs");

const server = await Server.start();
after(() => server.stop());

async function askForANewPassword(place, to) {
    const socket = createConnection(place);
    const lines = createInterface(socket)[Symbol.asyncIterator]();
    const head = `From: shop@shop.test\r\nTo: ${to}\r\nSubject: Reset\r\n`;
    const message = `${head}\r\nYour code is 482913, or go to https://shop.test/reset/77?a=b.\r\n.`;
    for (const line of ["", "HELO shop.test", "MAIL FROM:<shop@shop.test>", `RCPT TO:<${to}>`, "DATA", message, "QUIT"]) {
        if (line) socket.write(`${line}\r\n`);
        const { value } = await lines.next();
        assert.match(value, /^[23]/);
    }
    socket.end();
}

test("reset", async () => {
    const mail = await server.inbox("reset");
    await askForANewPassword(server.smtp, mail.address);
    const link = (await mail.wait({ subject: "Reset" })).link("/reset/");
    assert.equal(link, "https://shop.test/reset/77?a=b");
});

test("the README has this example", async () => {
    const own = await readFile(new URL(import.meta.url), "utf8");
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [example] = /test\("reset"[^]*?"\/reset\/"\);\n/.exec(own);
    assert.ok(readme.includes(example), `README.md lacks:\n${example}`);
});

test("what a test wants to know of a message", async () => {
    const [mail, other] = await Promise.all([server.inbox(), server.inbox("Another one!")]);
    assert.match(other.address, /^another-one-[0-9a-f]+@inbox\.test$/);
    await askForANewPassword(server.smtp, mail.address);
    const message = await mail.wait({ from: "shop@shop.test" });
    assert.deepEqual([message.subject, message.from, message.code], ["Reset", "shop@shop.test", "482913"]);
    assert.match(message.text, /Your code is/);
    assert.match(message.raw.toString(), /^Return-Path: <shop@shop\.test>/);
    await other.staysEmpty(100);
});

test("failures tell what came and what was said", async () => {
    const mail = await server.inbox();
    await askForANewPassword(server.smtp, mail.address);
    const message = await mail.wait();
    await assert.rejects(mail.wait({ subject: "Rest", timeout: 100 }), (error) => {
        assert.ok(error instanceof Failure);
        for (const part of ["0 of 1 came in time", "subject `Rest`", "`Reset`", message.url, `C: RCPT TO:<${mail.address}>`]) {
            assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`);
        }
        return true;
    });
    await assert.rejects(mail.staysEmpty(100), /nothing should/);
    assert.throws(() => message.link("/login/"), /https:\/\/shop\.test\/reset\/77/);
    await askForANewPassword(server.smtp, mail.address);
    assert.equal((await mail.waitFor(2)).length, 2);
    await assert.rejects(mail.wait(), /one message should be there/);
});

test("a server that cannot start says why", async () => {
    const taken = `127.0.0.1:${server.smtp.port}`;
    await assert.rejects(Server.start({ flags: ["--smtp", taken] }), /--smtp.*in use/);
    await assert.rejects(Server.start({ binary: "/nowhere/pillarbox" }), /PILLARBOX/);
});

test("Playwright's fixtures give a server and an address", async () => {
    const [begin, { scope }] = fixtures.mailServer;
    assert.equal(scope, "worker");
    let address;
    await begin({}, (mailServer) => fixtures.mail({ mailServer }, async (mail) => {
        await askForANewPassword(mailServer.smtp, mail.address);
        await mail.wait();
        address = mail.address;
    }, { title: "signs in" }));
    assert.match(address, /^signs-in-/);
});

test("mail is put back", async () => {
    const mail = await server.inbox("back");
    await server.snapshot("one");
    await askForANewPassword(server.smtp, mail.address);
    await mail.wait();
    await server.restore("one");
    await mail.staysEmpty(0);
    await assert.rejects(server.restore("two"), /no such snapshot.*one/);
});
