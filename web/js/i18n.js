// The page's language. Elements of index.html name their texts: data-text, data-label (a name for buttons and regions),
// data-placeholder.
import {LANGUAGES} from "./strings.js";

let language = document.documentElement.lang;

// The text of a key; {name} is filled in from `values`.
export function t(key, values = {}) {
  const text = LANGUAGES[language][key];
  if (text === undefined) throw new Error(`no text for "${key}" in ${language}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const number = (value, digits = 0, fixed = false) =>
    value.toLocaleString(language, {maximumFractionDigits: digits, minimumFractionDigits: fixed ? digits : 0});
// Milliseconds as people read them.
export const duration = ms => (ms < 1000 ? `${number(ms)} ms` : `${number(ms / 1000, 1)} s`);
export const date = seconds =>
    new Date(seconds * 1000).toLocaleDateString(language, {day: "numeric", month: "short", year: "numeric"});
export const currentLanguage = () => language;

export function translatePage(root = document) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = t(node.dataset.text);
  for (const node of root.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
    if (node.tagName === "BUTTON") node.title = t(node.dataset.label);
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

export function setLanguage(next) {
  language = next in LANGUAGES ? next : "en";
  document.documentElement.lang = language;
  translatePage();
}
