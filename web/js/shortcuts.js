// The keyboard: one table for what keys do and for the list that "?" shows.
import {show} from "./dialogs.js";
import {el} from "./dom.js";
import {t} from "./i18n.js";
import {settings} from "./settings.js";

const IN_FIELD = "input:not([type=checkbox], [type=radio], [type=range], [type=file]), textarea, select";

// [keys as shown, name of its text, the key of the event or null where the field itself takes it].
const KEYS = [
  ["Enter", "key_send", null],
  ["Shift+Enter", "key_line", null],
  ["↑", "key_up", null],
  ["Esc", "key_stop", null],
  ["/", "key_focus", "/"],
  ["N", "key_new", "n"],
  ["U", "key_attach", "u"],
  ["F", "key_find", "f"],
  ["R", "key_retry", "r"],
  ["C", "key_compare", "c"],
  ["S", "key_settings", "s"],
  ["E", "key_export", "e"],
  ["D", "key_theme", "d"],
  ["?", "key_help", "?"],
];

export function openHelp() {
  show(
      {title: t("helpTitle")},
      el("dl", {class: "keys"},
         KEYS.flatMap(([keys, name]) => [el("dt", {}, keys.split("+").map(key => el("kbd", {}, key))), el("dd", {}, t(name))])),
      el("p", {class: "note"}, t("helpMore")));
}

// `actions`: the name of a key's text → what it does; `escape()` closes what is open.
export function listenToKeys(actions, escape) {
  document.addEventListener("keydown", event => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]"))
      return;
    if (event.key === "Escape") {
      escape();
      return;
    }
    if (!settings.values.singleKeys || event.target.closest?.(IN_FIELD)) return;
    const known = KEYS.find(([, , key]) => key === event.key.toLowerCase());
    if (!known) return;
    event.preventDefault();
    actions[known[1]]();
  });
}
