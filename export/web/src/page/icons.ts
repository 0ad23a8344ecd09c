/** Icons, drawn for this page: paths in a square of 24, stroked. */

const PATHS = {
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM8 8h.01M16 8h.01M12 12h.01M8 16h.01M16 16h.01",
  interpolate: "M4 4h4v4H4zM16 4h4v4h-4zM4 16h4v4H4zM16 16h4v4h-4zM8 6h8M6 8v8M18 8v8M8 18h8",
  mix: "M9 15a5 5 0 1 1 0-10 5 5 0 0 1 0 10zM15 15a5 5 0 1 0 0-10M12 20a5 5 0 0 0 4.6-3M12 20a5 5 0 0 1-4.6-3",
  back: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  sheet: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  record: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
  stop: "M6 6h12v12H6z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  help: "M9.2 9a3 3 0 1 1 4.4 2.7c-1 .6-1.6 1.2-1.6 2.3M12 17.5h.01",
  close: "M6 6l12 12M18 6 6 18",
  open: "M4 20V6a2 2 0 0 1 2-2h4l2 3h6a2 2 0 0 1 2 2v11zM12 16v-5M9.5 13.5 12 11l2.5 2.5",
  image: "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM4 16l5-5 5 5 2-2 4 4M15.5 8.5h.01",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17",
  rows: "M4 5h16M4 12h16M4 19h16M4 5v.01M4 12v.01",
  class: "M4 4h8l8 8-8 8-8-8zM8.5 8.5h.01",
  pen: "M4 20l1-4L16 5l3 3L8 19z",
  eraser: "M9 19h11M5 15l9-9 5 5-8 8H8z",
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M15 14l5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  divide: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  compare: "M12 3v18M4 6h5v12H4zM15 6h5v12h-5z",
  plane: "M12 4v16M4 12h16M12 4l-2 2M12 4l2 2M20 12l-2-2M20 12l-2 2",
  sliders: "M6 4v6M6 14v6M12 4v2M12 10v10M18 4v10M18 18v2M4 12h4M10 8h4M16 16h4",
  walk: "M3 17c3 0 3-10 6-10s3 10 6 10 3-10 6-10",
  direction: "M5 19 19 5M19 5h-7M19 5v7",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.5h4M4 14.5h4M16 9.5h4M16 14.5h4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

/** An icon of 20 px; it says nothing to screen readers. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
