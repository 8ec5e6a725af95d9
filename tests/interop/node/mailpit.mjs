// The published client of Mailpit's API against our server: what it is given, and what it makes of it, as JSON.
import { createConnection } from 'node:net';
import { MailpitClient } from 'mailpit-api';

const [http, smtp] = process.argv.slice(2).map(Number);
const client = new MailpitClient(`http://127.0.0.1:${http}`);
const seen = {};

/** One message by SMTP, to several people: one message of the API. */
async function deliver(to, lines) {
    const socket = createConnection(smtp, '127.0.0.1');
    let heard = '';
    socket.on('data', octets => { heard += octets; });
    const said = async code => {
        const end = Date.now() + 10_000;
        while (!new RegExp(`(^|\n)${code} [^\n]*\n$`).test(heard)) {
            if (Date.now() > end) throw new Error(`no ${code}: ${heard}`);
            await new Promise(resolve => setTimeout(resolve, 2));
        }
        heard = '';
    };
    const say = async (line, code) => { socket.write(`${line}\r\n`); await said(code); };
    await said(220);
    await say('EHLO client.example', 250);
    await say('MAIL FROM:<alice@crepes.fr>', 250);
    for (const person of to) await say(`RCPT TO:<${person}>`, 250);
    await say('DATA', 354);
    await say([...lines, '.'].join('\r\n'), 250);
    await say('QUIT', 221);
}

await deliver(['bob@hamburger.edu', 'carol@hamburger.edu'], [
    'From: Alice <alice@crepes.fr>', 'To: "Bob B." <bob@hamburger.edu>, carol@hamburger.edu', 'Cc: dave@hamburger.edu',
    'Subject: =?utf-8?q?Cr=C3=AApes?= for all', 'Message-ID: <one@crepes.fr>', 'Date: Mon, 05 Jan 2026 10:00:00 +0100',
    'List-Unsubscribe: <https://crepes.fr/off?x=1>, <mailto:off@crepes.fr>', 'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b', '',
    '--b', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '',
    'Your code is 424242. See https://crepes.fr/reset/abc?d=3De', '',
    '--b', 'Content-Type: text/html', '', '<p>Hello <a href="https://crepes.fr/html">there</a><script>alert(1)</script>', '',
    '--b', 'Content-Type: text/csv', 'Content-Disposition: attachment; filename="a b.csv"', 'Content-Transfer-Encoding: base64', '',
    Buffer.from('a,b\r\n1,2\r\n').toString('base64'), '--b--', '',
]);
seen.info = await client.getInfo();
seen.list = await client.listMessages();
const id = seen.list.messages[0].ID;
seen.whole = await client.getMessageSummary(id);
seen.latest = (await client.getMessageSummary()).ID;
seen.headers = await client.getMessageHeaders(id);
seen.source = await client.getMessageSource(id);
const file = await client.getMessageAttachment(id, seen.whole.Attachments[0].PartID);
seen.file = await file.text();
seen.fileType = file.type;
seen.readAfter = (await client.listMessages()).messages[0].Read;
await client.setReadStatus({ IDs: [id], Read: false });
seen.unreadAfter = (await client.listMessages()).unread;

const sent = await client.sendMessage({
    From: { Email: 'erin@crepes.fr', Name: 'Erin "E"' }, To: [{ Email: 'frank@hamburger.edu' }], Bcc: ['grace@hamburger.edu'],
    Subject: 'By the API', Text: 'Plain.', HTML: '<b>Rich.</b>', Headers: { 'X-Test': 'yes' },
    Attachments: [{ Content: Buffer.from('octets').toString('base64'), Filename: 'x.bin', ContentType: 'application/octet-stream' }],
});
seen.sent = await client.getMessageSummary(sent.ID);
seen.sentHeaders = await client.getMessageHeaders(sent.ID);

seen.found = {};
for (const query of ['subject:crêpes', 'to:carol', '-to:carol', 'from:erin', 'code', '"your code is"', 'has:attachment', 'addressed:dave',
    'message-id:one@crepes.fr', 'larger:1m', 'smaller:1m', 'is:read', '!is:read', 'after:2020-01-01', 'before:2020-01-01', 'nowhere']) {
    seen.found[query] = (await client.searchMessages({ query })).messages.map(({ Subject }) => Subject);
}
const waiting = client.waitForMessage({ query: 'subject:late' }, { timeout: 10_000, interval: 50 });
await deliver(['late@hamburger.edu'], ['From: alice@crepes.fr', 'To: late@hamburger.edu', 'Subject: late', '', 'Now.']);
seen.waited = (await waiting).Subject;
seen.html = await client.renderMessageHTML(id);
seen.text = await client.renderMessageText(id);
seen.chaos = await client.setChaosTriggers({ Recipient: { ErrorCode: 451, Probability: 0 } });
seen.tags = await client.getTags();
await client.deleteMessagesBySearch({ query: 'subject:late' });
seen.withoutLate = (await client.listMessages()).total;
await client.deleteMessages({ IDs: [id] });
seen.withoutFirst = (await client.listMessages()).messages.map(({ Subject }) => Subject);
await client.deleteMessages();
seen.empty = (await client.listMessages()).total;
seen.missing = await client.getMessageSummary('99999').catch(error => error.message);
seen.bad = await client.searchMessages({ query: 'is:odd' }).catch(error => error.message);
console.log(JSON.stringify(seen));
