// imapflow against a server: two devices on one account. Prints what it saw as JSON; the check that runs it judges.
import { readFileSync } from 'node:fs';
import { ImapFlow } from 'imapflow';

const [port, user, ...files] = process.argv.slice(2);
const messages = files.map(file => readFileSync(file));
const seen = { octets: [], pushed: [], resynced: [] };

async function device(options = {}) {
    const client = new ImapFlow({
        host: '127.0.0.1', port: Number(port), secure: false, doSTARTTLS: false, logger: false,
        auth: { user, pass: 'any' }, qresync: true, ...options
    });
    client.on('error', error => { seen.error = String(error); });
    await client.connect();
    return client;
}

/** Waits until something is so. */
async function until(what, holds) {
    const end = Date.now() + 10_000;
    while (!holds()) {
        if (Date.now() > end) throw new Error(`${what} did not come: ${JSON.stringify(seen)}`);
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

function watch(client, list) {
    client.on('exists', ({ count }) => list.push(['exists', count]));
    client.on('expunge', ({ uid, vanished, earlier }) => list.push(['expunge', uid, vanished, !!earlier]));
    client.on('flags', ({ uid, flags }) => list.push(['flags', uid, [...flags].sort()]));
}

const one = await device();
seen.enabled = [...one.enabled].sort();
seen.compressed = !!one.capabilities.get('COMPRESS=DEFLATE');
await one.mailboxCreate('Kept');
for (const message of messages) await one.append('INBOX', message, ['\\Seen']);

// Every octet comes back as it was given.
await one.mailboxOpen('INBOX');
for (let number = 1; number <= messages.length; number += 1) {
    const { source, flags } = await one.fetchOne(String(number), { source: true, flags: true });
    seen.octets.push(source.equals(messages[number - 1]) && flags.has('\\Seen'));
}
seen.found = await one.search({ body: 'ketchup' }, { uid: true });
seen.unseen = await one.search({ seen: false }, { uid: true });

// What another device does is pushed to one that idles.
const two = await device();
await two.mailboxOpen('INBOX');
watch(two, seen.pushed);
const idling = two.idle();
await new Promise(resolve => setTimeout(resolve, 300));
const began = Date.now();
const appended = await one.append('INBOX', messages[0]);
seen.appendedUid = appended.uid;
await until('a message', () => seen.pushed.some(([what]) => what === 'exists'));
seen.pushMs = Date.now() - began;
await one.messageFlagsAdd(String(appended.uid), ['\\Flagged'], { uid: true });
await until('a flag', () => seen.pushed.some(([what, uid]) => what === 'flags' && uid === appended.uid));
const moved = await one.messageMove('2', 'Kept', { uid: true });
seen.moved = [...moved.uidMap];
await until('a move', () => seen.pushed.some(([what, uid]) => what === 'expunge' && uid === 2));
const { uidValidity, highestModseq } = two.mailbox;
await two.logout();
await idling.catch(() => undefined);

// What happens while a device is away, it is told when it comes back with what it knew.
await one.messageFlagsAdd('1', ['$Work'], { uid: true });
await one.messageDelete('3', { uid: true });
const again = await device();
watch(again, seen.resynced);
await again.mailboxOpen('INBOX', { changedSince: highestModseq, uidValidity });
await until('the news', () => seen.resynced.some(([what, uid]) => what === 'expunge' && uid === 3));
seen.changed = [];
for await (const { uid, flags } of again.fetch('1:*', { uid: true, flags: true }, { uid: true, changedSince: highestModseq })) {
    seen.changed.push([uid, [...flags].sort()]);
}
const status = await again.status('Kept', { messages: true, uidNext: true, highestModseq: true });
seen.kept = status.messages;
await again.mailboxOpen('Kept');
seen.movedOctets = (await again.fetchOne('1', { source: true })).source.equals(messages[1]);
await again.logout();
await one.logout();
console.log(JSON.stringify(seen));
