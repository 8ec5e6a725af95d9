import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { lines, live, row, shot, startBrowser, startServer } from "./rig.mjs";
const run = (cmd, input) => new Promise((done) => { const p = execFile("bash", ["-c", cmd], { timeout: 40000 }, (error, out, err) => done(`${out}${err}${error ? ` [exit ${error.code ?? error.signal}]` : ""}`)); });
const free = () => new Promise((resolve) => { const probe = createServer().listen(0, "127.0.0.1", () => { const { port } = probe.address(); probe.close(() => resolve(port)); }); });
const server = await startServer(); const browser = await startBrowser();
const { page, wrong } = await live(browser, server);
async function serve(port, { by = "The engine in this page", speaks = "SMTP" } = {}) {
  await page.getByRole("button", { name: /Be the server/ }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("What is spoken").selectOption({ label: speaks });
  await dialog.getByLabel("Who answers").selectOption({ label: by });
  await dialog.getByLabel(/^Port/).fill(`${port}`);
  await dialog.getByRole("button", { name: "Listen" }).click();
  await page.locator(".serving", { hasText: `127.0.0.1:${port}` }).waitFor();
}
const say = (title, text) => console.log(`=== ${title}\n${text}`);
let p = await free(); await serve(p);
say("swaks", (await run(`swaks --server 127.0.0.1:${p} --from ann@test.example --to bob@test.example --header 'Subject: swaks' --body hello`)).split("\n").slice(-12).join("\n"));
say("curl smtp", await run(`printf 'Subject: curl\\n\\nhi\\n' | curl -sS smtp://127.0.0.1:${p} --mail-from ann@test.example --mail-rcpt bob@test.example --upload-file - -m 20`));
say("big", await run(`(printf 'Subject: big\\n\\n'; head -c 6000000 /dev/zero | tr '\\0' x | fold -w 70) > /tmp/big.eml; time curl -sS smtp://127.0.0.1:${p} --mail-from ann@test.example --mail-rcpt bob@test.example --upload-file /tmp/big.eml -m 60`));
say("too big", await run(`(printf 'Subject: big\\n\\n'; head -c 20000000 /dev/zero | tr '\\0' x | fold -w 70) > /tmp/big2.eml; time curl -sS smtp://127.0.0.1:${p} --mail-from ann@test.example --mail-rcpt bob@test.example --upload-file /tmp/big2.eml -m 60`));
say("alert", (await page.locator("[role=alert]").allInnerTexts()).join("|"));
say("nc -N", await run(`printf 'QUIT\\r\\n' | nc -N 127.0.0.1 ${p}`));
say("nc -N pipelined", await run(`printf 'EHLO me\\r\\nMAIL FROM:<a@b.example>\\r\\nRCPT TO:<bob@test.example>\\r\\nQUIT\\r\\n' | nc -N 127.0.0.1 ${p}`));
p = await free(); await serve(p, { speaks: "POP3" });
say("curl pop3", await run(`curl -sS pop3://127.0.0.1:${p}/ --user bob@test.example:any -m 20; curl -sS pop3://127.0.0.1:${p}/1 --user bob@test.example:any -m 20 | head -20`));
say("nc pop3", await run(`printf 'USER bob@test.example\\r\\nPASS x\\r\\nSTAT\\r\\nQUIT\\r\\n' | nc -N 127.0.0.1 ${p}`));
p = await free(); await serve(p, { speaks: "IMAP" });
say("imaplib", await run(`python3 -c "
import imaplib
m = imaplib.IMAP4('127.0.0.1', ${p}, timeout=20)
print(m.login('bob@test.example','x'))
print(m.select('INBOX'))
print(m.search(None,'ALL'))
print(m.fetch('1','(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])'))
print(m.append('INBOX', None, None, b'Subject: appended\\r\\n\\r\\nhi\\r\\n'))
print(m.store('1','+FLAGS','\\\\\\\\Seen'))
print(m.logout())
"`));
say("curl imap", await run(`curl -sS 'imap://127.0.0.1:${p}/INBOX?ALL' --user bob@test.example:any -m 20; curl -sS 'imap://127.0.0.1:${p}/INBOX;MAILINDEX=1' --user bob@test.example:any -m 20 | head`));
say("parallel", await run(`for i in $(seq 20); do printf 'a LOGIN bob@test.example x\\r\\nb SELECT INBOX\\r\\nc LOGOUT\\r\\n' | nc -N -w 20 127.0.0.1 ${p} | tail -1 & done; wait`));
p = await free(); await serve(p, { by: "I type the answers" });
const nc = run(`printf 'EHLO me\\r\\n' | nc -N -w 20 127.0.0.1 ${p}`);
await page.locator("#prompt").waitFor();
for (const text of ["220 hand", "250 hello"]) { await page.fill("#prompt", text); await page.keyboard.press("Enter"); await page.waitForTimeout(300); }
await shot(page, "try-hand");
say("nc -N by hand", await nc);
await page.waitForTimeout(500);
say("prompt left", await page.locator("#prompt").count());
say("list", (await page.locator(".talk").allInnerTexts()).map((t) => t.replace(/\n/g, " ")).join("\n"));
say("alert", (await page.locator("[role=alert]").allInnerTexts()).join("|"));
// the real server
say("swaks real", (await run(`swaks --server ${server.smtp} --from ann@test.example --to bob@hamburger.edu --header 'Subject: swaks' --body hello`)).split("\n").slice(-4).join("\n"));
say("imaplib real", await run(`python3 -c "
import imaplib
h,p='${server.imap}'.split(':')
m = imaplib.IMAP4(h,int(p), timeout=20)
m.login('bob@hamburger.edu','x'); print(m.select('INBOX')); print(m.fetch('1','(RFC822.SIZE)')); m.logout()"`));
await page.waitForTimeout(500);
say("list", (await page.locator(".talk").allInnerTexts()).slice(0, 4).map((t) => t.replace(/\n/g, " ")).join("\n"));
await shot(page, "try-end");
say("wrong", wrong.join("\n"));
await browser.close(); server.stop();
