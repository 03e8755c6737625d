// Modal windows: the browser's own <dialog>, which keeps the focus inside, closes on Escape and gives the focus back.
import {el, iconButton} from "./dom.js";
import {t} from "./i18n.js";

// Opens at once. `done` is called with the dialog's return value when it has closed, however that came about.
export function openDialog({class: name = "", label, done}, ...children) {
  const dialog = el("dialog", {class: `dialog ${name}`, "aria-label": label}, ...children);
  dialog.addEventListener("close", () => {
    dialog.remove();
    // Chromium gives the focus back to a field without its caret: typing would go nowhere.
    const field = document.activeElement;
    if (field.matches("input, textarea")) {
      field.blur();
      field.focus();
    }
    done?.(dialog.returnValue);
  });
  dialog.addEventListener("click", event => {
    if (event.target === dialog) dialog.close();  // outside of its content
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function closeButton() {
  return iconButton("close", t("close"), event => event.target.closest("dialog").close());
}

const head = title => el("header", {}, el("h2", {}, title), closeButton());

// A form in a dialog: `fields`, then Cancel and the button `action`. Resolves to whether the form was sent.
export function ask({title, text, fields = [], action, danger = false, label = title}) {
  return new Promise(resolve => {
    const dialog = openDialog(
        {label, done: value => resolve(value === "yes")}, head(title),
        el("form", {
          on: {
            submit: event => {
              event.preventDefault();
              dialog.close("yes");
            }
          }
        },
           text && el("p", {}, text), ...fields,
           el("div", {class: "actions"},
              el("button", {class: "button", type: "button", on: {click: () => dialog.close()}}, t("cancel")),
              el("button", {class: danger ? "button danger" : "button strong", type: "submit"}, action))));
    (dialog.querySelector("input") ?? dialog.querySelector("button[type=submit]")).focus();
  });
}

// A dialog that only shows something.
export function show({title, class: name}, ...children) {
  return openDialog({label: title, class: name}, head(title), el("div", {class: "dialog-body"}, ...children));
}
