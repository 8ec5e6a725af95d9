// What a page of web mail does by itself: it shows what others change, keeps what is written, and counts the seconds in which
// a letter can be taken back. Without it the same pages work, by links and forms.
"use strict";
(() => {
  const BASE = "/mail";
  const SAVE_AFTER_MS = 1500;
  const SAVE_WITHIN_MS = 10_000;
  const RETRY_MS = [2000, 5000, 10_000, 30_000];
  /** Octets that a browser sends for a page that is closed. */
  const KEEPALIVE_MAX = 60_000;
  const SIGNED_OUT = "You are signed out.";
  // The token of the printed address is for other pages; here it is only to be read over a shoulder.
  const tidyAddress = () => location.hash.startsWith("#t=") && history.replaceState(null, "", location.pathname + location.search);
  addEventListener("hashchange", tidyAddress);
  tidyAddress();
  const nav = document.querySelector("nav");

  /** Said at the foot of the page, and to who hears it. */
  const said = document.createElement("p");
  said.className = "said";
  said.setAttribute("role", "status");
  document.body.append(said);
  const say = (text, link) => {
    said.textContent = text;
    if (text && link) said.append(" ", Object.assign(document.createElement("a"), { href: `${BASE}/login`, textContent: link }));
  };
  const after = (tries) => RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];

  document.getElementById("protocol")?.addEventListener("toggle", (event) => event.target.open && protocol());
  if (document.getElementById("smtp")) watchSmtp();
  if (nav) follow();
  // What was written by somebody who is not signed in any more is nobody else's.
  else Object.keys(sessionStorage).forEach((key) => key.startsWith("sheet:") && sessionStorage.removeItem(key));
  const listing = document.getElementById("listing");
  if (listing) choose();
  document.querySelectorAll("form.held").forEach(count);
  const sheet = document.querySelector("form.sheet[enctype]");
  if (sheet) keep(sheet);

  /** Messages are chosen all at once, or with Shift from one to another. */
  function choose() {
    const boxes = () => [...listing.querySelectorAll("[name=uid]")];
    const label = document.createElement("label");
    const all = Object.assign(document.createElement("input"), { type: "checkbox" });
    label.className = "check all";
    label.append(all, " Choose all on this page");
    listing.before(label);
    let last = null;
    const tidy = () => {
      label.hidden = boxes().length < 2;
      all.checked = boxes().length > 0 && boxes().every((box) => box.checked);
      all.indeterminate = !all.checked && boxes().some((box) => box.checked);
    };
    all.addEventListener("change", () => boxes().forEach((box) => { box.checked = all.checked; }));
    listing.addEventListener("click", (event) => {
      const box = event.target.closest("[name=uid]");
      if (!box) return;
      const between = boxes();
      const [from, to] = [between.findIndex((other) => other.value === last), between.indexOf(box)].sort((a, b) => a - b);
      if (event.shiftKey && from >= 0) between.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
      last = box.value;
      tidy();
    });
    new MutationObserver(tidy).observe(listing, { childList: true });
    tidy();
  }

  /** Puts the requests in place that the page made by itself meanwhile. */
  async function protocol() {
    const block = document.getElementById("protocol");
    if (!block?.open) return;
    const page = await ask(`${BASE}/protocol?live=1`);
    const all = page ? [...page.querySelectorAll("pre.wire")].reverse() : [];
    const shown = [...block.querySelectorAll("pre.wire")];
    // What the page showed first is where it begins.
    const from = all.findIndex((one) => one.textContent === shown[0]?.textContent);
    if (from < 0 || all.length - from === shown.length) return;
    shown.forEach((one) => one.remove());
    block.querySelector("summary").after(...all.slice(from));
  }

  /** What became of a letter comes in while its page is seen, for as long as a first try takes. */
  function watchSmtp() {
    let left = 30;
    const timer = setInterval(async () => {
      if (document.hidden) return;
      if (--left < 0) clearInterval(timer);
      const place = new URL(location);
      place.searchParams.set("live", "1");
      const page = await ask(place);
      const [old, fresh] = [document.getElementById("smtp"), page?.getElementById("smtp")];
      if (fresh && fresh.innerHTML !== old.innerHTML) old.replaceChildren(...fresh.childNodes);
    }, 2000);
  }

  /** A page as it is now; none if it is not to be had. */
  async function ask(place) {
    try {
      const response = await fetch(place, { redirect: "manual" });
      return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
    } catch {
      return null;
    }
  }

  /** Whatever happens to somebody's mail is shown here while this page is seen. */
  function follow() {
    const isList = /^\/mail\/in\/[^/]+\/?$/.test(location.pathname);
    let source = null, timer = 0, tries = 0, busy = false, again = false, ended = false;

    function open() {
      clearTimeout(timer);
      if (source || ended || document.hidden) return;
      source = new EventSource(`${BASE}/live`);
      let opened = false;
      source.onopen = () => {
        // What happened while nobody listened is seen now.
        if (opened || tries > 0) say("");
        opened = true;
        tries = 0;
        refresh();
      };
      source.addEventListener("mail", refresh);
      source.addEventListener("ended", end);
      source.onerror = () => {
        tries += 1;
        if (tries > 1) say("Not live: trying to reach the server again.");
        // Otherwise the browser tries again by itself.
        if (source.readyState !== EventSource.CLOSED) return;
        close();
        timer = setTimeout(open, after(tries - 1));
      };
    }

    function close() {
      clearTimeout(timer);
      source?.close();
      source = null;
    }

    function end() {
      ended = true;
      close();
      say(SIGNED_OUT, "Sign in");
    }

    async function refresh() {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      try {
        const place = isList ? new URL(location) : new URL(`${BASE}/folders`, location);
        place.searchParams.set("live", "1");
        const response = await fetch(place, { redirect: "manual" });
        if (response.type === "opaqueredirect") end();
        else if (response.ok) show(new DOMParser().parseFromString(await response.text(), "text/html"));
      } catch { /* The stream says that the server is not reached. */ }
      busy = false;
      if (again && !ended) {
        again = false;
        refresh();
      }
    }

    function show(page) {
      swap("nav ul", page);
      if (!isList) return;
      const old = uids();
      const chosen = new Set([...document.querySelectorAll("#listing [name=uid]:checked")].map((box) => box.value));
      const to = document.querySelector("#listing [name=to]")?.value;
      if (!swap("#listing", page)) return;
      for (const box of document.querySelectorAll("#listing [name=uid]")) box.checked = chosen.has(box.value);
      const select = document.querySelector("#listing [name=to]");
      if (select && to) select.value = to;
      const fresh = [...document.querySelectorAll("#listing li.unread")].filter((row) => !old.has(row.querySelector("input").value));
      if (fresh.length === 1) say(`New: ${fresh[0].querySelector("a").textContent} ${fresh[0].querySelector(".who").textContent}`);
      else if (fresh.length > 1) say(`${fresh.length} new messages`);
    }

    const uids = () => new Set([...document.querySelectorAll("#listing [name=uid]")].map((box) => box.value));

    /** Puts in place what has changed, and leaves the focus where it is. Whether anything has. */
    function swap(selector, page) {
      const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
      if (!old || !fresh || old.innerHTML === fresh.innerHTML) return false;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      const same = (node) => node.tagName === focused.tagName && node.name === focused.name
        && node.value === focused.value && node.getAttribute("href") === focused.getAttribute("href");
      old.replaceChildren(...fresh.childNodes);
      if (focused) [...old.querySelectorAll("a, button, input, select")].find(same)?.focus({ preventScroll: true });
      return true;
    }

    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  /** A letter that the queue holds: how long still, and then no more. */
  function count(form) {
    const button = form.querySelector("button");
    const until = performance.now() + Number(form.dataset.left);
    const left = document.createElement("span");
    left.setAttribute("aria-hidden", "true");
    button.append(left);
    const tick = () => {
      const ms = until - performance.now();
      if (ms > 0) {
        left.textContent = ` (${Math.ceil(ms / 1000)})`;
        setTimeout(tick, ms % 1000 || 1000);
        return;
      }
      const notice = document.querySelector(".notice");
      if (notice && document.querySelectorAll("form.held").length === 1 && location.pathname === `${BASE}/sent`) {
        notice.textContent = "Your server has the letter, and sees to it that it arrives.";
      }
      form.remove();
    };
    tick();
  }

  /** A sheet is kept as a draft while it is written, each time in place of what was kept before. */
  function keep(form) {
    const { sheet: name, files, text } = form.elements;
    const key = `sheet:${name.value}`;
    const fields = ["to", "cc", "bcc", "subject", "text"];
    const state = document.createElement("p");
    state.className = "state";
    state.setAttribute("role", "status");
    form.querySelector(".tools").before(state);
    let changed = false, changedAt = 0, saving = null, timer = 0, tries = 0, goes = false;
    remember();

    /** The page's address names the sheet and its draft, so that a page which is loaded again goes on with them. */
    function remember() {
      const here = new URL(location);
      if (here.pathname !== `${BASE}/write`) {
        here.pathname = `${BASE}/write`;
        if (form.elements.re.value) here.searchParams.set("re", form.elements.re.value);
        if (form.elements.how.value) here.searchParams.set("how", form.elements.how.value);
      }
      here.searchParams.set("sheet", name.value);
      if (form.elements.draft.value) here.searchParams.set("draft", form.elements.draft.value);
      history.replaceState(null, "", here);
    }

    function change() {
      if (!changed) changedAt = performance.now();
      changed = true;
      clearTimeout(timer);
      const wait = Math.min(SAVE_AFTER_MS, changedAt + SAVE_WITHIN_MS - performance.now());
      timer = setTimeout(save, Math.max(wait, 0));
    }

    /** Saves what there is, one time after the other; how it went: `saved`, `refused`, `sent`, `out` or `down`. */
    async function save() {
      clearTimeout(timer);
      while (saving) await saving;
      if (!changed) return "saved";
      saving = attempt();
      try {
        return await saving;
      } finally {
        saving = null;
      }
    }

    async function attempt() {
      changed = false;
      const given = [...files.files];
      let how, why;
      try {
        const response = await fetch(`${BASE}/draft`, { method: "POST", body: new FormData(form), redirect: "manual" });
        if (response.ok) {
          taken(await response.text(), given);
          tries = 0;
          const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
          tell(`Saved ${time}`, false);
          protocol();
          return "saved";
        }
        [how, why] = response.type === "opaqueredirect"
          ? ["out", "you are signed out. Sign in in another window, and go on here"]
          : [response.status === 409 ? "sent" : "refused", (await response.text()).trim() || `the server says ${response.status}`];
      } catch {
        [how, why] = ["down", "the server is not reached"];
      }
      changed = true;
      protocol();
      tell(`Not saved: ${why}${/[.!]$/.test(why) ? "" : "."} What you wrote is still here.`, true);
      if (how !== "sent") timer = setTimeout(save, after(tries));
      tries += 1;
      return how;
    }

    function tell(text, failed) {
      state.classList.toggle("failed", failed);
      if (state.textContent !== text) state.textContent = text;
    }

    /** The draft has a new place, and the files that were brought are in it. */
    function taken(html, given) {
      const fresh = new DOMParser().parseFromString(html, "text/html").body;
      const draft = fresh.querySelector("[name=draft]");
      form.elements.draft.value = draft.value;
      draft.remove();
      const kept = document.getElementById("kept");
      const label = (box) => box.parentElement.textContent;
      const unwanted = [...kept.querySelectorAll("input:not(:checked)")].map(label);
      const focused = kept.contains(document.activeElement) ? label(document.activeElement) : null;
      kept.replaceChildren(...fresh.childNodes);
      const boxes = [...kept.querySelectorAll("input")];
      for (const box of boxes.filter((box) => unwanted.includes(label(box)))) {
        box.checked = false;
        change();
      }
      if (focused !== null) (boxes.find((box) => label(box) === focused) ?? files).focus();
      const rest = new DataTransfer();
      for (const file of files.files) if (!given.includes(file)) rest.items.add(file);
      files.files = rest.files;
      remember();
    }

    function add(list) {
      const all = new DataTransfer();
      for (const file of [...files.files, ...list]) all.items.add(file);
      files.files = all.files;
      tell(list.length === 1 ? `${list[0].name} goes along.` : `${list.length} files go along.`, false);
      change();
    }

    // A page that was loaded again, or a browser that broke: what was not kept yet comes first.
    try {
      const left = JSON.parse(sessionStorage.getItem(key) ?? "null");
      sessionStorage.removeItem(key);
      if (left && fields.some((field) => left[field] !== form.elements[field].value)) {
        for (const field of fields) form.elements[field].value = left[field];
        change();
      }
    } catch { /* Not ours. */ }
    // A sheet that came back with what is wrong with it is kept as it is.
    if (document.querySelector(".notice") && text.value && !form.elements.draft.value) change();

    form.addEventListener("input", change);
    form.addEventListener("change", change);
    form.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      form.classList.add("drop");
    });
    form.addEventListener("dragleave", (event) => form.contains(event.relatedTarget) || form.classList.remove("drop"));
    form.addEventListener("drop", (event) => {
      form.classList.remove("drop");
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      add([...event.dataTransfer.files]);
    });
    form.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      add([...event.clipboardData.files]);
    });
    form.addEventListener("submit", async (event) => {
      if (goes) return;
      event.preventDefault();
      const button = event.submitter;
      const how = button?.value === "discard" ? "saved" : await save();
      while (saving) await saving;
      // In a task of its own: while a form's event is told it is not submitted again.
      await new Promise((resolve) => setTimeout(resolve));
      // Where nothing reaches the server the form would be lost with its page.
      if (how === "out" || how === "down") return;
      clearTimeout(timer);
      goes = true;
      form.requestSubmit(button);
    });
    addEventListener("pagehide", () => {
      if (!changed || goes) return;
      const left = Object.fromEntries(fields.map((field) => [field, form.elements[field].value]));
      try { sessionStorage.setItem(key, JSON.stringify(left)); } catch { /* It is full. */ }
      const body = new FormData(form);
      body.delete("files");
      if (text.value.length < KEEPALIVE_MAX / 4) fetch(`${BASE}/draft`, { method: "POST", body, keepalive: true }).catch(() => {});
    });
    addEventListener("beforeunload", (event) => {
      if (changed && !goes && (tries > 0 || files.files.length > 0)) event.preventDefault();
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted) goes = false;
    });
  }
})();
