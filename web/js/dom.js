// Makes elements. Text goes in as text nodes only: nothing that a model or a file says is ever parsed as HTML.
import {icon} from "./icons.js";

export const $ = id => document.getElementById(id);

// el("button", {class: "x", on: {click}, data: {id}}, "text", node, …). Properties that are null or false are left out, true
// gives an empty attribute; `style` sets single properties (the page's policy forbids style attributes).
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else if (key === "data") {
      Object.assign(node.dataset, value);
    } else if (key === "style") {
      for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
    } else {
      node.setAttribute(key, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

export function iconButton(name, label, onClick, properties = {}) {
  return el(
      "button", {class: "icon-button", type: "button", "aria-label": label, title: label, on: {click: onClick}, ...properties},
      icon(name));
}

export function setIcon(button, name) {
  button.querySelector("svg")?.remove();
  button.prepend(icon(name));
}

// Says something to screen readers once.
export function announce(text) {
  $("announcer").textContent = text;
}

// A note that goes by itself, or when it is clicked.
export function toast(text, milliseconds = 8000) {
  const note = el("p", {class: "toast"}, text);
  note.addEventListener("click", () => note.remove());
  $("toasts").append(note);
  setTimeout(() => note.remove(), milliseconds);
}

export const newId = prefix => prefix + crypto.getRandomValues(new Uint32Array(3)).reduce((id, n) => id + n.toString(36), "");

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  const link = el("a", {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
