// What a user has chosen, kept in the browser. The API key is kept apart: for this tab, or longer only where the user says so.
const KEY = "sensorium.settings";
const DEFAULTS = {
  theme: "system",  // system, light, dark
  language: null,   // null: the browser's
  model: null,
  secondModel: null,
  compare: false,
  system: "",         // instructions before every conversation
  temperature: null,  // null: the server's own
  topP: null,
  maxTokens: null,
  seed: null,
  schema: "",        // JSON schema of the answer; "": free text
  frames: 4,         // pictures that stand for a film, for models that read none
  leastScore: 0,     // of boxes that are drawn
  singleKeys: true,  // shortcuts that are one character
};

function stored(area, key) {
  try {
    return area.getItem(key);
  } catch {
    return null;
  }
}

function keep(area, key, value) {
  try {
    if (value === null)
      area.removeItem(key);
    else
      area.setItem(key, value);
  } catch {
    // Storage is full or forbidden: the choice holds until the page is closed.
  }
}

function load() {
  try {
    const found = JSON.parse(stored(localStorage, KEY)) ?? {};
    return Object.fromEntries(Object.entries(DEFAULTS).map(([name, fallback]) => [name, found[name] ?? fallback]));
  } catch {
    return {...DEFAULTS};
  }
}

// `changed` events tell the names that changed.
class Settings extends EventTarget {
  values = load();

  set(changes) {
    Object.assign(this.values, changes);
    keep(localStorage, KEY, JSON.stringify(this.values));
    this.dispatchEvent(new CustomEvent("changed", {detail: Object.keys(changes)}));
  }

  // To the defaults of what shapes answers; theme, language and models stay.
  resetAnswers() {
    const {system, temperature, topP, maxTokens, seed, schema, frames, leastScore} = DEFAULTS;
    this.set({system, temperature, topP, maxTokens, seed, schema, frames, leastScore});
  }

  get apiKey() {
    return stored(sessionStorage, "sensorium.key") ?? stored(localStorage, "sensorium.key");
  }

  setApiKey(key, remember) {
    keep(sessionStorage, "sensorium.key", remember ? null : key);
    keep(localStorage, "sensorium.key", remember ? key : null);
  }

  forgetApiKey() {
    this.setApiKey(null, false);
  }
}

export const settings = new Settings();
