/* Before the first paint, so that a page chosen dark never flashes white; a plain script, not a module. */
(() => {
  try {
    const chosen = localStorage.getItem("otelbridge.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is switched off: the system's preference holds.
  }
})();
