// Search over the folder that the server has indexed, by words, a picture or a sound. The route is POST /api/search with
// { query: a part of a message, limit, senses }; it answers { results: [{ name, type, score, url }], unread }.
import {mediaUrl, search, searchState} from "./api.js";
import {readAttachment} from "./attachments.js";
import {show} from "./dialogs.js";
import {el} from "./dom.js";
import {number, t} from "./i18n.js";
import {errorText} from "./message_view.js";

const MOST_RESULTS = 48;
const SENSES = {
  image: "searchPictures",
  audio: "searchSounds",
  video: "searchFilms",
  text: "searchTexts"
};

function media(type, name) {
  if (type.startsWith("image/")) return el("img", {alt: "", loading: "lazy"});
  if (type.startsWith("audio/")) return el("audio", {controls: true, preload: "none", "aria-label": name});
  if (type.startsWith("video/")) return el("video", {controls: true, preload: "metadata", "aria-label": name});
  return null;
}

function result({name, type = "", score, url}) {
  const shown = media(type, name);
  if (shown) {
    mediaUrl(url).then(source => {
      shown.src = source;
    }, () => shown.remove());
  }
  return el(
      "li", {class: "result"}, shown, el("span", {class: "result-name"}, name),
      el("span", {class: "figures"}, number(score, 2, true)));
}

export async function openSearch() {
  const body = el("div", {class: "search"});
  const dialog = show({title: t("searchTitle"), class: "wide"}, body);
  // Without an answer there is nothing to search either.
  const state = await searchState().catch(() => ({searchable: false}));
  if (!state.searchable) {
    body.append(el("p", {class: "search-missing"}, t("searchMissing")));
    return;
  }
  const words = el("input", {type: "search", "aria-label": t("searchTitle"), placeholder: t("searchHint")});
  const file = el("input", {type: "file", accept: "image/*,audio/*,video/*", "aria-label": t("searchFile")});
  const known = Object.keys(SENSES).filter(name => !state.senses || state.senses.includes(name));
  const sense =
      el("select", {class: "search-sense", "aria-label": t("searchSense")}, el("option", {value: ""}, t("searchAll")),
         ...known.map(name => el("option", {value: name}, t(SENSES[name]))));
  const status = el("p", {class: "note", role: "status"}), list = el("ul", {class: "results"});
  let last = null;  // part that was searched for, to search anew where the kind of results changes
  const go = async part => {
    last = part;
    list.replaceChildren();
    status.textContent = t("searchRuns");
    try {
      const {results, unread = 0} =
          await search({query: part, limit: MOST_RESULTS, ...(sense.value ? {senses: [sense.value]} : {})});
      if (part !== last) return;
      const found = results.length ? t("searchFound", {count: results.length}) : t("searchNone");
      status.textContent = unread > 0 ? `${found} ${t("searchUnread", {count: unread})}` : found;
      list.replaceChildren(...results.map(result));
    } catch (error) {
      status.textContent = errorText(error);
    }
  };
  const goByFile = async given => {
    try {
      const part = await readAttachment(given, 1);
      // Of a film too large to be sent, a picture of it.
      go(part.type === "video_url" && !part.video_url ? part.frames[0] : part);
    } catch {
      status.textContent = t("unreadable", {name: given.name});
    }
  };
  file.addEventListener("change", () => goByFile(file.files[0]));
  sense.addEventListener("change", () => last && go(last));
  dialog.addEventListener("drop", event => {
    event.preventDefault();
    event.stopPropagation();
    const given = event.dataTransfer?.files[0];
    if (given) goByFile(given);
  });
  for (const kind of ["dragenter", "dragover"]) {
    dialog.addEventListener(kind, event => {
      event.preventDefault();
      event.stopPropagation();
    });
  }
  body.append(
      el("form", {
        on: {
          submit: event => {
            event.preventDefault();
            if (words.value.trim()) go({type: "text", text: words.value.trim()});
          }
        }
      },
         words, sense, el("button", {class: "button strong", type: "submit"}, t("searchGo"))),
      el("label", {class: "search-file"}, el("span", {}, t("searchFile")), file), status, list);
  if (dialog.open) words.focus();
}
