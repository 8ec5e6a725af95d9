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
