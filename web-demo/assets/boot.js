// Starts the page's module, or says why it cannot.
import init from './%APP_JS%';

const theme = (() => { try { return localStorage.getItem('pillarbox.theme'); } catch { return null; } })();
if (theme) document.documentElement.dataset.theme = theme;

function fail(sentence) {
  const boot = document.getElementById('boot');
  boot.textContent = '';
  for (const [tag, text] of [['h1', 'The playground did not start'], ['p', sentence]]) {
    boot.append(Object.assign(document.createElement(tag), { textContent: text }));
  }
  boot.setAttribute('role', 'alert');
}

// A panic inside leaves the page dead; better to say so than to look alive.
addEventListener('error', (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) document.documentElement.dataset.broken = 'yes';
});

// S/MIME is a module of its own, loaded when a screen first needs it. Each try has another name, since a browser may
// remember that something could not be imported.
let smime, tries = 0;
globalThis.pillarboxSmime = async (ready, failed) => {
  let desk;
  try {
    if (!smime) {
      tries += 1;
      const loaded = await import(`./%SMIME_JS%${tries > 1 ? `?${tries}` : ''}`);
      await loaded.default({ module_or_path: new URL('./%SMIME_WASM%', import.meta.url) });
      smime = loaded;
    }
    desk = new smime.Desk();
  } catch (error) {
    return failed(error.message ?? String(error));
  }
  ready(desk);
};

if (typeof WebAssembly !== 'object') {
  fail('This browser does not run WebAssembly, or its settings forbid it.');
} else {
  try {
    await init({ module_or_path: new URL('./%APP_WASM%', import.meta.url) });
    document.getElementById('boot')?.remove();
  } catch (error) {
    fail(`The module could not be loaded: ${error.message}`);
  }
}

// Once loaded, it works without the network; only over HTTPS or from this machine do browsers allow that.
if ('serviceWorker' in navigator && isSecureContext) {
  addEventListener('load', () => navigator.serviceWorker.register('./sw.js').catch(() => {}));
  if (document.readyState === 'complete') navigator.serviceWorker.register('./sw.js').catch(() => {});
}
