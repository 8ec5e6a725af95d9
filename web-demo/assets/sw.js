// Keeps the page's files, so that all but live mode works with the network off.
const CACHE = 'playground-%VERSION%';
const FILES = ['%FILES%'];

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    // A name with a hash is never loaded twice; the page's own name is asked for anew.
    const isNew = (file) => ({ cache: file.endsWith('.html') ? 'no-cache' : 'default' });
    await cache.addAll(FILES.map((file) => new Request(file, isNew(file))));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith('playground-') && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

// The page itself from the network when there is one, so that a new build is seen; all else never changes.
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const scope = new URL(self.registration.scope);
  if (event.request.method !== 'GET' || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const page = url.pathname === scope.pathname || url.pathname.endsWith('/index.html');
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(page ? './index.html' : event.request, { ignoreSearch: true });
    if (kept && !page) return kept;
    try {
      return await fetch(event.request);
    } catch (error) {
      if (kept) return kept;
      throw error;
    }
  })());
});
