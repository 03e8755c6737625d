// Puts the page together.
import {models as fetchModels, onKeyNeeded} from "./api.js";
import {Chat} from "./chat.js";
import {Composer} from "./composer.js";
import {sensesOf} from "./conversation.js";
import {ask} from "./dialogs.js";
import {$, el, setIcon, toast} from "./dom.js";
import {openExport} from "./export.js";
import {currentLanguage, number, setLanguage, t, translatePage} from "./i18n.js";
import {icon} from "./icons.js";
import {errorText} from "./message_view.js";
import {openSearch} from "./search.js";
import {settings} from "./settings.js";
import {SettingsDrawer} from "./settings_drawer.js";
import {listenToKeys, openHelp} from "./shortcuts.js";
import {Sidebar} from "./sidebar.js";
import {store} from "./store.js";

const EXAMPLES = [
  ["site.jpg", "exampleSite", "altSite"], ["cells.jpg", "exampleCells", "altCells"], ["parts.jpg", "exampleParts", "altParts"]
];

let models = new Map();  // by name, in the server's order

const chat = new Chat(() => models);
const composer = new Composer({
  send: (parts, replaced) => chat.send(parts, replaced),
  stop: () => chat.stop(),
  running: () => chat.running,
  editLast: () => {
    const last = chat.turns.at(-1);
    if (last && !chat.running) composer.edit(last.question);
  },
});
const sidebar = new Sidebar(chat);
const drawer = new SettingsDrawer(() => askForKey(false));

let asking = null;  // one dialog for all requests that fail at once

function askForKey(wrong) {
  asking ??=
      (async () => {
        const key =
            el("input", {type: "password", required: true, autocomplete: "off", spellcheck: "false", "aria-label": t("key")});
        const remember = el("input", {type: "checkbox"});
        const given = await ask({
          title: t("keyTitle"),
          text: wrong ? t("keyWrong") : t("keyText"),
          action: t("ok"),
          fields: [key, el("label", {class: "check"}, remember, el("span", {}, t("remember")))]
        });
        if (given) settings.setApiKey(key.value.trim(), remember.checked);
        return given;
      })().finally(() => {
        asking = null;
      });
  return asking;
}
onKeyNeeded(askForKey);

async function loadModels() {
  models = new Map((await fetchModels()).map(model => [model.id, model]));
  const names = [...models.keys()], {model, secondModel} = settings.values;
  settings.set({
    model: models.has(model) ? model : names[0],
    secondModel: models.has(secondModel) ? secondModel : names.find(name => name !== names[0]) ?? names[0]
  });
  for (const id of ["model", "second-model"]) $(id).replaceChildren(...names.map(name => el("option", {value: name}, name)));
  showModels();
}

function showModels() {
  const {model, secondModel, compare} = settings.values;
  $("model").value = model;
  $("second-model").value = secondModel;
  $("second-model-field").hidden = !compare;
  $("compare").setAttribute("aria-pressed", String(compare));
  const known = models.get(model), details = known?.details, senses = sensesOf(known);
  $("about-model").textContent = senses ? t("aboutModel", {
    name: details.name ?? model,
    context: number(details.context_tokens),
    senses: new Intl.ListFormat(currentLanguage()).format([
      "text", "image", "video", "audio"
    ].filter(sense => senses.has(sense)).map(sense => t(`sense_${sense}`)))
  }) :
                                          "";
}

// A model that is being loaded says later what it takes.
async function refreshModels() {
  try {
    for (const model of await fetchModels()) models.set(model.id, model);
    showModels();
  } catch {
    // The next answer says what is wrong.
  }
}

function showTheme() {
  const {theme} = settings.values;
  if (theme === "system")
    delete document.documentElement.dataset.theme;
  else
    document.documentElement.dataset.theme = theme;
  setIcon($("toggle-theme"), isDark() ? "sun" : "moon");
  const chosen = $("settings").querySelector(`input[name=theme][value=${theme}]`);
  if (chosen) chosen.checked = true;
}

const isDark = () => {
  const {theme} = settings.values;
  return theme === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
};
const toggleTheme = () => settings.set({theme: isDark() ? "light" : "dark"});
const toggleCompare = () => settings.set({compare: !settings.values.compare});

function showExamples() {
  $("examples")
      .replaceChildren(...EXAMPLES.map(
          ([file, question, alt]) =>
              el("li", {},
                 el("button", {
                   class: "example",
                   type: "button",
                   on: {
                     click: async () => {
                       const bytes = await (await fetch(`/web/examples/${file}`)).blob();
                       await composer.add([new File([bytes], file, {type: "image/jpeg"})]);
                       composer.fill(t(question));
                       composer.submit();
                     }
                   }
                 },
                    el("img", {src: `/web/examples/${file}`, alt: t(alt), width: 240, height: 160}),
                    el("span", {lang: "en"}, t(question))))));
}

function showLanguage() {
  setLanguage(settings.values.language ?? currentLanguage());
  $("language").value = currentLanguage();
  showExamples();
  showModels();
  sidebar.show();
  chat.render();
  if (drawer.isOpen) drawer.render();
}

settings.addEventListener("changed", ({detail}) => {
  if (detail.includes("theme")) showTheme();
  if (detail.includes("language")) showLanguage();
  if (detail.includes("leastScore")) chat.redraw();
  if (["model", "secondModel", "compare"].some(name => detail.includes(name))) showModels();
});
chat.addEventListener("running", () => {
  composer.showRunning();
  if (!chat.running && [...models.values()].some(model => model.state && model.state !== "loaded")) refreshModels();
});
chat.addEventListener("opened", () => composer.clear());
chat.addEventListener("edit", ({detail}) => !chat.running && composer.edit(detail));

for (const button of document.querySelectorAll("[data-icon]")) button.prepend(icon(button.dataset.icon));
$("model").addEventListener("change", event => settings.set({model: event.target.value}));
$("second-model").addEventListener("change", event => settings.set({secondModel: event.target.value}));
$("compare").addEventListener("click", toggleCompare);
$("toggle-theme").addEventListener("click", toggleTheme);
$("language").addEventListener("change", event => settings.set({language: event.target.value}));
$("open-help").addEventListener("click", openHelp);
$("open-search").addEventListener("click", openSearch);
$("open-export").addEventListener("click", () => openExport(chat.conversation));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

listenToKeys(
    {
      key_focus: () => composer.focus(),
      key_new: () => $("new-chat").click(),
      key_attach: () => $("files").click(),
      key_find: () => $("find").focus(),
      key_settings: () => $("open-settings").click(),
      key_compare: toggleCompare,
      key_retry: () => chat.retry(),
      key_theme: toggleTheme,
      key_export: () => openExport(chat.conversation),
      key_help: openHelp,
    },
    () => sidebar.close() || drawer.close() || (chat.running && (chat.stop(), true)) || (composer.editing && composer.clear()));

translatePage();
showTheme();
showLanguage();
composer.focus();
try {
  await loadModels();
  await store.load();
} catch (error) {
  toast(errorText(error));
}
document.documentElement.dataset.ready = "";
