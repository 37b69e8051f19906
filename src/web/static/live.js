// Keeps the parts of a page marked data-live up to date: fetches the same page again and puts the
// new parts in the place of the old. Fields are never touched. Without this script everything
// works, one reload at a time.
"use strict";

(() => {
  const every = 2000;
  const lost = document.getElementById("lost");

  async function refresh() {
    const response = await fetch(location.pathname + location.search, {
      headers: { "X-Live": "1" },
      redirect: "manual",
      signal: AbortSignal.timeout(5000),
    });
    if (response.type === "opaqueredirect") {
      location.reload();
      return;
    }
    if (!response.ok) {
      throw new Error(String(response.status));
    }
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      const busy = old.contains(document.activeElement) || old.querySelector("details[open]");
      if (next && !busy && old.outerHTML !== next.outerHTML) {
        old.replaceWith(document.adoptNode(next));
      }
    }
    document.title = fresh.title;
  }

  async function turn() {
    if (!document.hidden) {
      try {
        await refresh();
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    setTimeout(turn, every);
  }

  if (document.querySelector("[data-live]")) {
    setTimeout(turn, every);
  }
})();
