// Starts the page's module, or says why it cannot.
import init from './%APP_JS%';

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
