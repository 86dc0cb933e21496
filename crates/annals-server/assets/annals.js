// Comfort for the audit log page: keys, copying, the browser's time zone. Everything works without it.
"use strict";
(() => {
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  // A browser may refuse storage inside of a frame; then nothing is remembered.
  const remember = {
    get: (store, key) => { try { return window[store].getItem(key); } catch { return null; } },
    set: (store, key, value) => { try { window[store].setItem(key, value); } catch { /* not remembered */ } },
    drop: (store, key) => { try { window[store].removeItem(key); } catch { /* not remembered */ } },
  };

  // What happened, said to those who do not see it.
  const status = document.createElement("p");
  status.className = "toast";
  status.setAttribute("role", "status");
  document.body.append(status);
  let fading;
  const say = (text) => {
    status.textContent = text;
    status.classList.add("on");
    clearTimeout(fading);
    fading = setTimeout(() => status.classList.remove("on"), 2600);
  };

  // Copy link.
  for (const link of all("a[data-copy]")) {
    link.addEventListener("click", (event) => {
      if (!navigator.clipboard || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      navigator.clipboard.writeText(link.href).then(() => say("Link copied"), () => { location.href = link.href; });
    });
  }
  for (const link of all("a[data-download]")) {
    link.addEventListener("click", () => say("Preparing the file; your browser shows its progress"));
  }

  // The menu of a value can also copy it, where it is shown whole and as it is.
  for (const lead of navigator.clipboard ? all(".val > .pop > .lead bdi") : []) {
    const value = lead.textContent;
    if (/[…‹]|[\u2400-\u2421]/.test(value)) continue;
    const copy = document.createElement("button");
    copy.type = "button";
    copy.className = "item";
    copy.textContent = "Copy";
    copy.addEventListener("click", () => navigator.clipboard.writeText(value).then(() => say("Copied"), () => say("The browser did not let it be copied")));
    lead.closest(".pop").append(copy);
  }

  // Menus close when something else is clicked.
  document.addEventListener("click", (event) => {
    for (const open of all("details[open][name]")) if (!open.contains(event.target)) open.open = false;
  });

  // Opening an event beside the table leaves the table where it is, and closing it goes back to its row.
  const place = "annals.place";
  const panel = one("#event");
  for (const link of all("[data-open], [data-close], [data-event-newer], [data-event-older]")) {
    link.addEventListener("click", () => {
      remember.set("sessionStorage", place, JSON.stringify([scrollY, link.hash]));
      link.hash = "";
    });
  }
  const was = JSON.parse(remember.get("sessionStorage", place) ?? "null");
  remember.drop("sessionStorage", place);
  if (was) {
    scrollTo(0, was[0]);
    const row = document.getElementById(was[1].slice(1));
    (panel ?? (row && one("[data-open]", row)))?.focus({ preventScroll: true });
  }

  // The browser's own zone, offered beside UTC.
  const zones = one("[data-zones]");
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const toZone = (name) => {
    const to = new URL(location.href);
    if (name === "UTC") to.searchParams.delete("tz"); else to.searchParams.set("tz", name);
    return to.href;
  };
  if (zones && mine && mine !== "UTC") {
    const known = one(`[data-zone="${CSS.escape(mine)}"]`, zones);
    if (!known) {
      const link = document.createElement("a");
      link.className = "item";
      link.href = toZone(mine);
      link.textContent = `This browser: ${mine}`;
      one(".item", zones).after(link);
    }
  }

  // Keys. A row has the focus of j and k; Enter is the browser's own, on the row's link.
  const rows = all("[data-row]");
  let at = rows.findIndex((row) => row.classList.contains("now"));
  const move = (step) => {
    if (!rows.length) return;
    rows[at]?.classList.remove("cursor");
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    rows[at].classList.add("cursor");
    const link = one("[data-open]", rows[at]);
    link.focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "nearest" });
  };
  const go = (selector) => { const link = one(selector); if (link) link.click(); return Boolean(link); };
  const sheet = one("[data-keys]");
  const help = one("[data-help]");
  const letters = one("[data-keys-on]");
  if (sheet && help && letters) {
    help.hidden = false;
    help.addEventListener("click", () => sheet.showModal());
    letters.checked = remember.get("localStorage", "annals.keys") !== "off";
    letters.addEventListener("change", () => remember.set("localStorage", "annals.keys", letters.checked ? "on" : "off"));
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
    const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape") {
      const open = all("details[open][name]").pop();
      if (open) { open.open = false; one("summary", open).focus(); }
      else if (typing) typing.blur();
      else if (!sheet?.open) go("[data-close]");
      return;
    }
    if (typing || sheet?.open || (letters && !letters.checked)) return;
    const keys = {
      "/": () => { const box = one("[data-search]"); box?.focus(); box?.select(); return Boolean(box); },
      j: () => (move(1), true),
      k: () => (move(-1), true),
      "[": () => go("[data-newer]"),
      "]": () => go("[data-older]"),
      d: () => go("[data-download]"),
      c: () => go(".actions a[data-copy]"),
      u: () => {
        if (!zones || !mine) return false;
        remember.set("sessionStorage", place, JSON.stringify([scrollY, ""]));
        location.href = toZone(new URL(location.href).searchParams.has("tz") ? "UTC" : mine);
        return true;
      },
      "?": () => { sheet?.showModal(); return Boolean(sheet); },
    };
    if (keys[event.key]?.()) event.preventDefault();
  });
})();
