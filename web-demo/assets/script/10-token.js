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
