// Checks of what is on the page, as a list of faults. Put in front of a script that the browser runs.

const shown = node => node.checkVisibility({visibilityProperty: true});
const told = node => node.outerHTML.slice(0, 90);

// [r, g, b (0..255), alpha (0..1)] of any CSS colour.
function parseColor(color) {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];

// WCAG 2.2, "relative luminance".
function luminance(color) {
  const linear = value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = color.slice(0, 3).map(value => linear(value / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function groundOf(node) {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    layers.push(parseColor(getComputedStyle(at).backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
}

// Texts whose contrast with what lies under them is too low (WCAG 2.2, 1.4.3: 4.5 : 1, large text 3 : 1), and how many were seen.
function contrast() {
  const faults = [];
  let count = 0;
  const check = (node, style, text) => {
    ++count;
    const under = groundOf(node), color = over(parseColor(style.color), under);
    const [low, high] = [luminance(color), luminance(under)].sort((a, b) => a - b), ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(`${ratio.toFixed(2)} ${text.trim().slice(0, 40)}`);
  };
  const seen = node =>
      node.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !node.closest(".hidden, .skip");
  const walker = document.createTreeWalker(document.querySelector("dialog[open]") ?? document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, text = walker.currentNode.data;
    if (text.trim() && seen(node) && !node.closest("option, script, noscript")) check(node, getComputedStyle(node), text);
  }
  for (const node of document.querySelectorAll("[placeholder]")) {
    if (seen(node)) check(node, getComputedStyle(node, "::placeholder"), node.placeholder);
  }
  return [count, faults];
}

// What programs that read the page aloud rely on.
function structure() {
  const faults = [], all = selector => [...document.querySelectorAll(selector)];
  const ids = all("[id]").map(node => node.id);
  for (const id of new Set(ids.filter((name, i) => ids.indexOf(name) !== i))) faults.push(`two elements have the id ${id}`);
  for (const name of ["aria-controls", "aria-labelledby", "aria-describedby", "for"]) {
    for (const node of all(`[${name}]`)) {
      if (!document.getElementById(node.getAttribute(name))) faults.push(`${name} names nothing: ${told(node)}`);
    }
  }
  for (const name of ["main", "h1", "nav"]) {
    if (all(name).length !== 1) faults.push(`${name}: ${all(name).length}`);
  }
  if (!["en", "de"].includes(document.documentElement.lang)) faults.push("no language");
  if (!document.title) faults.push("no title");
  for (const node of all("img:not([alt])")) faults.push(`no alt: ${told(node)}`);
  for (const node of all("ul > :not(li), ol > :not(li), dl > :not(dt, dd)")) faults.push(`not in a list: ${told(node)}`);
  for (const node of all("button button, button a, a button")) faults.push(`nested: ${told(node)}`);
  for (const node of all("[tabindex]")) {
    if (node.tabIndex > 0) faults.push(`an order of its own: ${told(node)}`);
  }
  let level = 0;
  for (const node of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
    const next = Number(node.tagName[1]);
    if (level && next > level + 1) faults.push(`h${next} after h${level}: ${node.textContent}`);
    level = next;
  }
  // WCAG 2.2, 2.5.8: 24 pixels, but for what stands in a line of text. A label is part of what it names.
  for (const node of all("button, input:not([type=file]), select, textarea, summary").filter(shown)) {
    const {width, height} = (node.closest("label") ?? node).getBoundingClientRect();
    const small = width > 0 && (width < 24 || height < 24);
    if (small && !node.matches(".link") && getComputedStyle(node).opacity !== "0") {
      faults.push(`small: ${width} x ${height} ${told(node)}`);
    }
  }
  return faults;
}

// What Tab reaches.
function reachable() {
  return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")].filter(
      node => shown(node) && node.tabIndex >= 0 && !node.disabled);
}

// Where the focus is: its place in the document, whether it is marked, whether it is on the screen.
function focused() {
  const node = document.activeElement, area = node.getBoundingClientRect();
  const ringed = [node, node.closest(".composer")].some(at => {
    const style = at && getComputedStyle(at);
    return style && (style.outlineStyle !== "none" || style.boxShadow !== "none");
  });
  const inside = area.right > 0 && area.bottom > 0 && area.left < innerWidth && area.top < innerHeight;
  return {index: [...document.querySelectorAll("*")].indexOf(node), ringed, inside, name: told(node)};
}

// What reaches beyond the right edge; what scrolls in its own frame may.
function tooWide() {
  return [...document.querySelectorAll("body *")]
      .filter(node => shown(node) && !node.closest(".hidden, .skip, .frames, .table, pre"))
      .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
      .map(told);
}

// What moves by itself or on a change.
function moving() {
  const longs = style => style.transitionDuration.split(",").some(time => parseFloat(time) > 0);
  return [...document.querySelectorAll("*")]
      .filter(node => {
        const style = getComputedStyle(node);
        return style.animationName !== "none" || (style.transitionProperty !== "none" && longs(style));
      })
      .map(told);
}
