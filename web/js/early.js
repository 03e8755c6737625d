// Runs before the first paint, so that a chosen theme or language does not flicker.
(() => {
  const root = document.documentElement;
  let settings = {};
  try {
    settings = JSON.parse(localStorage.getItem("sensorium.settings")) ?? {};
  } catch {
    // No storage, or not ours: the defaults hold.
  }
  if (settings.theme === "light" || settings.theme === "dark") root.dataset.theme = settings.theme;
  const language = settings.language ?? navigator.language ?? "en";
  root.lang = language.toLowerCase().startsWith("de") ? "de" : "en";
})();
