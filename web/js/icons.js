// The page's icons: strokes on a grid of 24.
const PATHS = {
  attention: ["M12 8v5", "M12 16.5v.01", "M12 3.5 2.5 20h19z"],
  camera: [
    "M4 8h3l2-3h6l2 3h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1z",
    "M12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z"
  ],
  check: ["M5 12.5 10 17 19 7"],
  clip: ["M19 11.5 12 18.5a4.5 4.5 0 0 1-6.4-6.4L13 4.8a3 3 0 0 1 4.2 4.2l-7.3 7.3a1.5 1.5 0 0 1-2.1-2.1l6.7-6.7"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  columns: ["M4 5h7v14H4z", "M13 5h7v14h-7z"],
  copy: ["M9 9h10v11H9z", "M6 15H5V4h10v2"],
  download: ["M12 4v11", "M7 11l5 5 5-5", "M5 20h14"],
  edit: ["M5 19h3.5L19 8.5 15.5 5 5 15.5z", "M13 7.5 16.5 11"],
  film: ["M4 5h16v14H4z", "M8 5v14", "M16 5v14", "M4 12h16"],
  keyboard: ["M3 7h18v10H3z", "M7 10.5v.01", "M10.5 10.5v.01", "M14 10.5v.01", "M17 10.5v.01", "M8.5 14h7"],
  menu: ["M4 7h16", "M4 12h16", "M4 17h16"],
  microphone: ["M12 15a3 3 0 0 0 3-3V7a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3z", "M6 12a6 6 0 0 0 12 0", "M12 18v3"],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z"],
  picture: ["M4 5h16v14H4z", "M4 16l5-5 4 4 3-3 4 4", "M15 9v.01"],
  plus: ["M12 5v14", "M5 12h14"],
  retry: ["M19 12a7 7 0 1 1-2.2-5.1", "M19 4v4h-4"],
  search: ["M11 17a6 6 0 1 0 0-12 6 6 0 0 0 0 12z", "M15.5 15.5 20 20"],
  send: ["M12 19V5", "M6 11l6-6 6 6"],
  sliders: ["M4 8h9", "M17 8h3", "M15 10.5v-5", "M4 16h3", "M11 16h9", "M9 18.5v-5"],
  sound: ["M4 10v4", "M8 7v10", "M12 4v16", "M16 8v8", "M20 10.5v3"],
  stop: ["M7 7h10v10H7z"],
  sun: [
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z", "M12 3v2", "M12 19v2", "M3 12h2", "M19 12h2", "M5.6 5.6 7 7", "M17 17l1.4 1.4",
    "M18.4 5.6 17 7", "M7 17l-1.4 1.4"
  ],
  trash: ["M5 7h14", "M9 7V4h6v3", "M7 7l1 13h8l1-13"],
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
