// The drawer with what shapes answers and the page.
import {$, el, iconButton} from "./dom.js";
import {t} from "./i18n.js";
import {settings} from "./settings.js";

// Numbers that may be left to the server: [name, lowest, highest, step, its explanation].
const NUMBERS = [
  ["temperature", 0, 2, 0.1, "temperatureHelp"], ["topP", 0.01, 1, 0.01, "topPHelp"], ["maxTokens", 1, 1_048_576, 1, null],
  ["seed", 0, Number.MAX_SAFE_INTEGER, 1, "seedHelp"]
];

function field(name, input, help) {
  input.id = `setting-${name}`;
  if (help) input.setAttribute("aria-describedby", `help-${name}`);
  return el(
      "div", {class: "field"}, el("label", { for: input.id
      }, t(name === "system" ? "systemPrompt" : name)), input, help && el("p", {class: "note", id: `help-${name}`}, t(help)));
}

function numberField([name, min, max, step, help]) {
  const value = settings.values[name];
  const input = el("input", {
    type: "number",
    min,
    max,
    step,
    inputmode: "decimal",
    placeholder: t("serverDefault"),
    value: value === null ? "" : value,
    on: {
      change: () => {
        if (!input.reportValidity()) return;
        settings.set({[name]: input.value === "" ? null : Number(input.value)});
      }
    }
  });
  return field(name, input, help);
}

function textField(name, check, help) {
  const fault = el("p", {class: "fault", role: "alert", hidden: true});
  const input = el("textarea", {
    rows: name === "schema" ? 5 : 3,
    spellcheck: name === "schema" ? "false" : null,
    class: name === "schema" ? "mono" : null,
    on: {
      change: () => {
        const wrong = check?.(input.value) ?? null;
        fault.hidden = wrong === null;
        fault.textContent = wrong ?? "";
        input.toggleAttribute("aria-invalid", wrong !== null);
        // A schema that cannot be read would fail every question.
        if (wrong === null) settings.set({[name]: input.value});
      }
    }
  });
  input.value = settings.values[name];
  const node = field(name, input, help);
  if (check) node.append(fault);
  return node;
}

function slider(name, min, max, step) {
  const shown = el("output", {}, String(settings.values[name]));
  const input = el("input", {
    type: "range",
    min,
    max,
    step,
    value: settings.values[name],
    on: {
      input: () => {
        shown.textContent = input.value;
      },
      change: () => settings.set({[name]: Number(input.value)})
    }
  });
  const node = field(name, input, name === "frames" ? "framesHelp" : null);
  node.querySelector("label").append(" ", shown);
  return node;
}

function schemaFault(text) {
  if (!text.trim()) return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return t("schemaBad", {reason: error.message});
  }
}

function appearance() {
  return el(
      "fieldset", {class: "choice"}, el("legend", {}, t("appearance")),
      ["system", "light", "dark"].map(
          theme =>
              el("label", {}, el("input", {
                   type: "radio",
                   name: "theme",
                   value: theme,
                   checked: settings.values.theme === theme,
                   on: {change: () => settings.set({theme})}
                 }),
                 el("span", {}, t(`theme_${theme}`)))));
}

// `changeKey()` asks for another API key.
export class SettingsDrawer {
  constructor(changeKey) {
    this.changeKey = changeKey;
    $("open-settings").addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
  }

  get isOpen() {
    return !$("settings").hidden;
  }

  open() {
    this.render();
    $("settings").hidden = false;
    $("open-settings").setAttribute("aria-expanded", "true");
    $("settings").querySelector("textarea, input").focus();
  }

  close() {
    if (!this.isOpen) return false;
    // A field that has the focus has not told its change yet.
    document.activeElement?.blur?.();
    $("settings").hidden = true;
    $("open-settings").setAttribute("aria-expanded", "false");
    $("open-settings").focus();
    return true;
  }

  render() {
    $("settings")
        .replaceChildren(
            el("header", {}, el("h2", {}, t("settings")), iconButton("close", t("close"), () => this.close())),
            el("h3", {}, t("answers")), textField("system"), ...NUMBERS.map(numberField),
            textField("schema", schemaFault, "schemaHelp"), slider("frames", 1, 16, 1), slider("leastScore", 0, 1, 0.05),
            el("button", {
              class: "button",
              type: "button",
              on: {
                click: () => {
                  settings.resetAnswers();
                  this.render();
                  $("settings").querySelector("textarea").focus();
                }
              }
            },
               t("reset")),
            el("h3", {}, t("appearance")), appearance(),
            el("label", {class: "check"}, el("input", {
                 type: "checkbox",
                 checked: settings.values.singleKeys,
                 on: {change: event => settings.set({singleKeys: event.target.checked})}
               }),
               el("span", {}, t("singleKeys"))),
            ...(settings.apiKey ?
                    [
                      el("h3", {}, t("keyTitle")),
                      el("div", {class: "actions start"},
                         el("button", {class: "button", type: "button", on: {click: () => this.changeKey()}}, t("changeKey")),
                         el("button", {
                           class: "button",
                           type: "button",
                           on: {
                             click: () => {
                               settings.forgetApiKey();
                               this.render();
                             }
                           }
                         },
                            t("forgetKey")))
                    ] :
                    []));
  }
}
