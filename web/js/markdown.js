// Markdown as models write it, as DOM nodes: headings, lists, quotes, fenced code, tables, rules, emphasis, code, links. HTML
// in the text is text. Pictures are shown as links: an answer must not make the browser fetch anything. Ambiguities follow
// CommonMark 0.31 where models meet them; reference links and HTML blocks are left out.
import {el} from "./dom.js";
import {t} from "./i18n.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:\s+(.*)|\s*)$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const DELIMITERS = /^ {0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const MOST_DEPTH = 12;  // of quotes and lists in each other; beyond it markers are text

const indent = line => line.length - line.trimStart().length;

function isTable(lines, at) {
  return lines[at].includes("|") && at + 1 < lines.length && DELIMITERS.test(lines[at + 1]) && lines[at + 1].includes("-") &&
      cells(lines[at]).length === cells(lines[at + 1]).length;
}

function beginsBlock(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) ||
      (ITEM.test(line) && indent(line) < 4) || isTable(lines, at);
}

// The first line after the block that begins at `at`, and what makes it.
function nextBlock(lines, at, depth) {
  const line = lines[at];
  let end = at + 1;
  const fence = line.match(FENCE);
  if (fence) {
    const closing = new RegExp(`^ {0,3}${fence[1][0]}{${fence[1].length},}\\s*$`);
    while (end < lines.length && !closing.test(lines[end])) ++end;
    const code = lines.slice(at + 1, end).map(text => text.slice(Math.min(indent(text), indent(line))));
    return {end: Math.min(end + 1, lines.length), make: () => codeBlock(code.join("\n"), fence[2].trim())};
  }
  const heading = line.match(HEADING);
  // The page's own headings are the first two levels.
  if (heading) return {end, make: () => el(`h${Math.min(heading[1].length + 2, 6)}`, {}, inline(heading[2]))};
  if (RULE.test(line)) return {end, make: () => el("hr")};
  if (QUOTE.test(line) && depth < MOST_DEPTH) {
    while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || !beginsBlock(lines, end))) ++end;
    const inner = lines.slice(at, end).map(text => text.match(QUOTE)?.[1] ?? text);
    return {end, make: () => el("blockquote", {}, blocks(inner, depth + 1))};
  }
  if (ITEM.test(line) && depth < MOST_DEPTH) return list(lines, at, depth);
  if (isTable(lines, at)) {
    end = at + 2;
    while (end < lines.length && lines[end].trim() && lines[end].includes("|")) ++end;
    return {end, make: () => table(lines.slice(at, end))};
  }
  while (end < lines.length && lines[end].trim() && !beginsBlock(lines, end)) ++end;
  return {end, make: () => el("p", {}, inline(lines.slice(at, end).map(text => text.trimStart()).join("\n")))};
}

function list(lines, at, depth) {
  const [, , firstMarker] = lines[at].match(ITEM);
  const ordered = /\d/.test(firstMarker), kind = firstMarker.at(-1), base = indent(lines[at]);
  const items = [];
  let end = at, loose = false;
  while (end < lines.length) {
    const match = lines[end].match(ITEM);
    if (!match || indent(lines[end]) > base + 1 || match[2].at(-1) !== kind || RULE.test(lines[end])) break;
    const inside = base + match[2].length + 1, inner = [match[3] ?? ""];
    for (++end; end < lines.length; ++end) {
      const text = lines[end];
      if (!text.trim()) {
        const after = lines.slice(end).find(later => later.trim());
        if (after === undefined || (indent(after) < inside && !ITEM.test(after))) break;
        if (indent(after) >= inside) inner.push("");
        loose = true;
        continue;
      }
      if (indent(text) >= Math.min(inside, base + 2))
        inner.push(text.slice(Math.min(indent(text), inside)));
      else if (beginsBlock(lines, end) || !inner.at(-1))
        break;
      else
        inner.push(text.trimStart());
    }
    items.push(inner);
  }
  const start = ordered && Number.parseInt(firstMarker, 10) !== 1 ? Number.parseInt(firstMarker, 10) : null;
  const make = () => el(ordered ? "ol" : "ul", {start}, items.map(inner => {
    const nodes = blocks(inner, depth + 1);
    return el("li", {}, loose ? nodes : nodes.flatMap(node => (node.tagName === "P" ? [...node.childNodes] : [node])));
  }));
  return {end: Math.max(end, at + 1), make};
}

const cells = line =>
    line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map(cell => cell.trim().replaceAll("\\|", "|"));

function table(lines) {
  const sides = cells(lines[1]).map(cell => (cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : null));
  const row = (line, name) => {
    const given = cells(line);
    return el(
        "tr", {}, sides.map((side, i) => el(name, {class: side, scope: name === "th" ? "col" : null}, inline(given[i] ?? ""))));
  };
  return el(
      "div", {class: "table", tabindex: "0", role: "region", "aria-label": t("table")},
      el("table", {}, el("thead", {}, row(lines[0], "th")), el("tbody", {}, lines.slice(2).map(line => row(line, "td")))));
}

function codeBlock(code, language) {
  const copy =
      el("button", {
        class: "link",
        type: "button",
        on: {
          click: async () => {
            await navigator.clipboard.writeText(code);
            copy.textContent = t("copied");
            setTimeout(() => {
              copy.textContent = t("copy");
            }, 2000);
          }
        }
      },
         t("copy"));
  return el(
      "figure", {class: "code"}, el("figcaption", {}, el("span", {}, language.split(/\s/)[0] || t("code")), copy),
      el("pre", {tabindex: "0", role: "region", "aria-label": t("code")}, el("code", {}, code)));
}

// Link targets that may be followed; everything else ("javascript:") stays text.
const safe = url => /^(https?:\/\/|mailto:)/i.test(url);
const link = (url, ...content) => el("a", {href: url, target: "_blank", rel: "noopener noreferrer"}, ...content);

// One alternative each: escape, code, picture, link, bare link, strong, emphasis, struck.
const INLINE = new RegExp(
    [
      "\\\\([!-/:-@[-`{-~])",
      "(`+)((?:[^`]|(?!\\2)`)+?)\\2(?!`)",
      "!\\[([^\\]]*)\\]\\(([^\\s()]+)[^)]*\\)",
      "\\[([^\\]]+)\\]\\(([^\\s()]+(?:\\([^\\s()]*\\)[^\\s()]*)*)[^)]*\\)",
      "<?(https?://[^\\s<>`]+[^\\s<>`.,;:!?'\")\\]])>?",
      "(\\*\\*|__)(?=\\S)(.+?[*_]*)(?<=\\S)\\9",
      "(?<![\\w*])([*_])(?=[^\\s*_])(.+?)(?<=[^\\s*_])\\11(?![\\w*])",
      "~~(?=\\S)(.+?)~~",
    ].join("|"),
    "s");

export function inline(text, depth = 0) {
  const nodes = [];
  while (text) {
    const match = depth < MOST_DEPTH ? text.match(INLINE) : null;
    const before = match ? text.slice(0, match.index) : text;
    before.split(/ {2,}\n|\\\n/).forEach((piece, i) => nodes.push(...(i > 0 ? [el("br")] : []), piece));
    if (!match) break;
    const [all, escaped, , code, alt, source, label, target, bare, , strong, , emphasis, struck] = match;
    if (escaped)
      nodes.push(escaped);
    else if (code)
      nodes.push(el("code", {}, code.replace(/^ (.*\S.*) $/s, "$1")));
    else if (source)
      nodes.push(safe(source) ? link(source, alt || source) : all);
    else if (target)
      nodes.push(...(safe(target) ? [link(target, ...inline(label, depth + 1))] : [all]));
    else if (bare)
      nodes.push(link(bare, bare));
    else if (strong)
      nodes.push(el("strong", {}, inline(strong, depth + 1)));
    else if (emphasis)
      nodes.push(el("em", {}, inline(emphasis, depth + 1)));
    else
      nodes.push(el("del", {}, inline(struck, depth + 1)));
    text = text.slice(match.index + all.length);
  }
  return nodes;
}

function blocks(lines, depth) {
  const nodes = [];
  for (let at = 0; at < lines.length;) {
    if (!lines[at].trim()) {
      ++at;
      continue;
    }
    const {end, make} = nextBlock(lines, at, depth);
    nodes.push(make());
    at = end;
  }
  return nodes;
}

// A growing text in one element: only blocks that changed are made anew, so that a long answer stays fast and what a user has
// selected above stays selected.
export class MarkdownView {
  constructor(element) {
    this.element = element;
    this.sources = [];
  }

  show(text) {
    const lines = text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n");
    let count = 0;
    for (let at = 0; at < lines.length;) {
      if (!lines[at].trim()) {
        ++at;
        continue;
      }
      const {end, make} = nextBlock(lines, at, 0), source = lines.slice(at, end).join("\n");
      if (this.sources[count] !== source) {
        const node = make();
        if (count < this.sources.length)
          this.element.children[count].replaceWith(node);
        else
          this.element.append(node);
        this.sources[count] = source;
      }
      ++count;
      at = end;
    }
    this.sources.length = count;
    while (this.element.children.length > count) this.element.lastElementChild.remove();
  }
}
