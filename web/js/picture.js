// A picture with the boxes of an answer over it, and maps of where the answer was found.
import {closeButton, openDialog} from "./dialogs.js";
import {el} from "./dom.js";
import {number, t} from "./i18n.js";

// Distinct for the common kinds of colour blindness (Okabe and Ito 2008, without yellow and black).
const COLORS = ["#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#0072b2"];
const MOST_ZOOM = 4;  // of a small picture

const percent = (value, whole) => `${(100 * value) / whole}%`;

// Boxes in pixels of the picture: { label, box: [x0, y0, x1, y1], score }.
function drawBoxes(stage, image, boxes, colors) {
  return boxes.map(({label, box: [x0, y0, x1, y1], score}) => {
    const node =
        el("span", {
          class: y0 < 0.08 * image.naturalHeight ? "box inside" : "box",
          title: `${label}, ${number(score, 2)}`,
          style: {
            left: percent(x0, image.naturalWidth),
            top: percent(y0, image.naturalHeight),
            width: percent(x1 - x0, image.naturalWidth),
            height: percent(y1 - y0, image.naturalHeight),
            "--box": colors.get(label)
          }
        },
           el("span", {class: "box-label"}, label));
    stage.append(node);
    return {label, node};
  });
}

// A map over the picture: the warmer, the more speaks for the label. { rows, columns, values: 0..1, row by row }.
function drawHeat(stage, {rows, columns, values}) {
  const canvas = el("canvas", {class: "heat", width: columns, height: rows, hidden: true});
  const context = canvas.getContext("2d"), pixels = context.createImageData(columns, rows);
  values.forEach((value, i) => {
    // From clear blue to strong red.
    pixels.data.set(
        [
          Math.round(255 * value), Math.round(160 * (1 - Math.abs(2 * value - 1))), Math.round(255 * (1 - value)),
          Math.round(60 + 140 * value)
        ],
        4 * i);
  });
  context.putImageData(pixels, 0, 0);
  stage.append(canvas);
  return canvas;
}

// A switch that shows one map at a time.
function heatChips(heats, canvases) {
  const chips = heats.map(
      (heat, i) =>
          el("button", {
            class: "chip heat-chip",
            type: "button",
            "aria-pressed": "false",
            title: t("heatHint"),
            on: {
              click: () => {
                const shown = chips[i].getAttribute("aria-pressed") !== "true";
                chips.forEach((chip, j) => {
                  chip.setAttribute("aria-pressed", String(shown && i === j));
                  if (canvases[j]) canvases[j].hidden = !(shown && i === j);
                });
              }
            }
          },
             t("heat", {label: heat.label})));
  return chips;
}

// A stage of an image that calls `loaded` with it when its size is known.
function stageOf(url, alt, loaded) {
  const image = el("img", {src: url, alt, draggable: "false"});
  const stage = el("span", {class: "stage"}, image);
  image.decode().then(() => loaded(stage, image), () => {});
  return stage;
}

// As large as the window allows. The width alone is set, so that the boxes' ground is the picture and nothing beside it.
function enlarged(url, name, alt, boxes, colors) {
  const stage = stageOf(url, alt, (where, image) => {
    const {naturalWidth: width, naturalHeight: height} = image;
    image.style.width =
        `${Math.floor(width * Math.min(MOST_ZOOM, (0.86 * innerWidth) / width, (0.78 * innerHeight) / height))}px`;
    drawBoxes(where, image, boxes, colors);
  });
  openDialog({class: "lightbox", label: name}, el("header", {}, el("h2", {}, name), closeButton()), stage);
}

function table(boxes) {
  return el(
      "details", {class: "fold"}, el("summary", {}, t("boxTable")),
      el("div", {class: "table", tabindex: "0", role: "region", "aria-label": t("boxTable")},
         el("table", {},
            el("thead", {}, el("tr", {}, ["label", "boxPlace", "score"].map(key => el("th", {scope: "col"}, t(key))))),
            el("tbody", {},
               boxes.map(
                   ({label, box, score}) => el(
                       "tr", {}, el("td", {}, label), el("td", {class: "figures"}, box.map(value => number(value)).join(", ")),
                       el("td", {class: "figures"}, number(score, 2))))))));
}

// The picture as a button that enlarges it; with boxes: a switch for each label, and their coordinates.
export function pictureFigure({url, name, boxes = [], heats = []}) {
  const counts = new Map();
  for (const {label} of boxes) counts.set(label, (counts.get(label) ?? 0) + 1);
  const colors = new Map([...counts.keys()].map((label, i) => [label, COLORS[i % COLORS.length]]));
  const labels = [...counts].map(([label, count]) => `${label} × ${count}`).join(", ");
  const alt = boxes.length === 0 ? name : t("boxesAlt", {name, count: boxes.length, labels});
  let drawn = [];
  const canvases = [];
  const stage = stageOf(url, alt, (where, image) => {
    canvases.push(...heats.map(heat => drawHeat(where, heat)));
    drawn = drawBoxes(where, image, boxes, colors);
  });
  const button =
      el("button", {
        class: "picture",
        type: "button",
        title: t("enlarge", {name}),
        on: {click: () => enlarged(url, name, alt, boxes, colors)}
      },
         stage);
  if (boxes.length === 0 && heats.length === 0) return el("figure", {class: "media"}, button);
  const switches = [...counts].map(([label, count]) => {
    const chip =
        el("button", {
          class: "chip",
          type: "button",
          "aria-pressed": "true",
          "aria-label": `${t("showLabel", {label})}: ${count}`,
          style: {"--box": colors.get(label)},
          on: {
            click: () => {
              const shown = chip.getAttribute("aria-pressed") !== "true";
              chip.setAttribute("aria-pressed", String(shown));
              for (const entry of drawn)
                if (entry.label === label) entry.node.hidden = !shown;
            }
          }
        },
           el("span", {class: "swatch"}), label, el("span", {class: "count"}, String(count)));
    return chip;
  });
  return el(
      "figure", {class: counts.size === 1 ? "media boxed one-label" : "media boxed"}, button,
      el("figcaption", {}, el("div", {class: "chips"}, switches, heatChips(heats, canvases)),
         boxes.length > 0 && table(boxes)));
}
