// Starts the page's module, or says why it cannot.
import init from './%APP_JS%';

// With the token of this start a page of this server may watch and use its services. The printed address brings it
// (`#t=…`), the tab keeps it, and gives it to other tabs of this very server; it is nowhere else.
const TOKEN = 'pillarbox.token';
const tabs = new BroadcastChannel(TOKEN);
const token = () => { try { return sessionStorage.getItem(TOKEN); } catch { return null; } };
const keepToken = (given) => {
  try { sessionStorage.setItem(TOKEN, given); } catch { return; }
  dispatchEvent(new Event(TOKEN));
};
tabs.onmessage = ({ data: { given, isNew } }) => {
  const own = token();
  if (!given && own) tabs.postMessage({ given: own });
  else if (given && (isNew || !own)) keepToken(given);
};
const takeToken = (event) => {
  const [, given] = /^#t=([0-9a-f]+)$/.exec(location.hash) ?? [];
  if (!given) return;
  history.replaceState(null, '', event?.oldURL ?? '#/');
  keepToken(given);
  tabs.postMessage({ given, isNew: true });
};
addEventListener('hashchange', takeToken);
takeToken();
if (!token()) tabs.postMessage({});

// F6 goes from pane to pane, and back with Shift: the bar, then what stands beside each other in the screen.
const PANES = '.bar, .page:not(:has(section)), .compare-main, main section, main aside, main .prompt, main .timeline, main .choices-bar, main figure';
addEventListener('keydown', (event) => {
  if (event.key !== 'F6' || document.querySelector('dialog[open]')) return;
  event.preventDefault();
  const all = [...document.querySelectorAll(PANES)].filter((pane) => pane.getClientRects().length > 0);
  const here = all.findLastIndex((pane) => pane.contains(document.activeElement));
  const next = event.shiftKey ? all.at(Math.max(here, 0) - 1) : all[(here + 1) % all.length];
  if (!next.hasAttribute('tabindex')) next.tabIndex = -1;
  next.dataset.pane = '';
  next.focus();
});

const theme = (() => { try { return localStorage.getItem('pillarbox.theme'); } catch { return null; } })();
if (theme) document.documentElement.dataset.theme = theme;

function fail(sentence) {
  const boot = document.getElementById('boot');
  const part = (tag, textContent) => Object.assign(document.createElement(tag), { textContent });
  boot.replaceChildren(part('h1', 'The playground did not start'), part('p', sentence));
  boot.setAttribute('role', 'alert');
}

// A panic inside leaves the page dead; better to say so than to look alive.
addEventListener('error', (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) document.documentElement.dataset.broken = 'yes';
});

// S/MIME is a module of its own, loaded when a screen first needs it. Each try has another name, since a browser may
// remember that something could not be imported.
let smime, words, tries = 0;
globalThis.pillarboxSmime = async (ready, failed) => {
  try {
    if (!smime) {
      const loaded = await import(`./%SMIME_JS%${tries++ ? `?${tries}` : ''}`);
      await loaded.default({ module_or_path: new URL('./%SMIME_WASM%', import.meta.url) });
      smime = loaded;
    }
    const desk = new smime.Desk();
    queueMicrotask(() => ready(desk));
  } catch (error) {
    failed(error.message ?? String(error));
  }
};

// The words that explain octets are a text of their own, loaded for the first screen that explains any.
const load = async () => {
  const answer = words ? undefined : await fetch('./%WORDS%').catch(() => undefined);
  if (answer?.ok) words = await answer.text();
};
globalThis.pillarboxWords = (told) => { if (!words) load().then(() => told(words)); return words; };

// A file that somebody chooses: its name and its octets, or none of a larger one.
globalThis.pillarboxPick = (largest, told) => {
  const input = Object.assign(document.createElement('input'), { type: 'file' });
  input.onchange = async () => {
    const file = input.files[0];
    if (file) told(file.name, file.size > largest ? undefined : new Uint8Array(await file.arrayBuffer()));
  };
  input.click();
};

// A question to the server behind the page.
globalThis.pillarboxAsk = (method, path, body, told) => {
  fetch(path, { method, body: body || undefined }).then(async (answer) => told(answer.status, await answer.text()), () => told(0, ''));
};

if (typeof WebAssembly !== 'object') {
  fail('This browser does not run WebAssembly, or its settings forbid it.');
} else {
  try {
    if (location.hash.length > 2) await load();
    await init({ module_or_path: new URL('./%APP_WASM%', import.meta.url) });
    document.getElementById('boot')?.remove();
  } catch (error) {
    fail(`The module could not be loaded: ${error.message}`);
  }
}

// Once loaded, it works without the network; only over HTTPS or from this machine do browsers allow that.
if ('serviceWorker' in navigator && isSecureContext) {
  const keep = () => navigator.serviceWorker.register('./sw.js').catch(() => {});
  addEventListener('load', keep);
  if (document.readyState === 'complete') keep();
}
