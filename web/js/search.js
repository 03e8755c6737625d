// Search over a folder that the server has indexed, by words, a picture or a sound. The route is POST /api/search with
// { query: a part of a message, limit }; it answers { results: [{ name, type, score, url }] }.
import {routes, search} from "./api.js";
import {readAttachment} from "./attachments.js";
import {show} from "./dialogs.js";
import {el} from "./dom.js";
import {number, t} from "./i18n.js";
import {errorText} from "./message_view.js";

const MOST_RESULTS = 48;

function result({name, type = "", score, url}) {
  const media = type.startsWith("image/") ? el("img", {src: url, alt: "", loading: "lazy"}) :
      type.startsWith("audio/")           ? el("audio", {src: url, controls: true, preload: "none", "aria-label": name}) :
      type.startsWith("video/")           ? el("video", {src: url, controls: true, preload: "metadata", "aria-label": name}) :
                                            null;
  return el(
      "li", {class: "result"}, media, el("span", {class: "result-name"}, name),
      el("span", {class: "figures"}, number(score, 2)));
}

export async function openSearch() {
  const body = el("div", {class: "search"});
  const dialog = show({title: t("searchTitle"), class: "wide"}, body);
  // Without the list of routes there is nothing to search either.
  const known = await routes().catch(() => []);
  if (!known.includes("/api/search")) {
    body.append(el("p", {class: "search-missing"}, t("searchMissing")));
    return;
  }
  const words = el("input", {type: "search", "aria-label": t("searchTitle"), placeholder: t("searchHint")});
  const file = el("input", {type: "file", accept: "image/*,audio/*", "aria-label": t("searchFile")});
  const status = el("p", {class: "note", role: "status"}), list = el("ul", {class: "results"});
  const go = async part => {
    list.replaceChildren();
    try {
      const {results} = await search({query: part, limit: MOST_RESULTS});
      status.textContent = results.length ? t("searchFound", {count: results.length}) : t("searchNone");
      list.replaceChildren(...results.map(result));
    } catch (error) {
      status.textContent = errorText(error);
    }
  };
  file.addEventListener("change", async () => {
    try {
      go(await readAttachment(file.files[0], 1));
    } catch {
      status.textContent = t("unreadable", {name: file.files[0].name});
    }
  });
  body.append(
      el("form", {
        on: {
          submit: event => {
            event.preventDefault();
            if (words.value.trim()) go({type: "text", text: words.value.trim()});
          }
        }
      },
         words, el("button", {class: "button strong", type: "submit"}, t("searchGo"))),
      el("label", {class: "search-file"}, el("span", {}, t("searchFile")), file), status, list);
  if (dialog.open) words.focus();
}
