// Pictures as SVG, drawn by Vega from descriptions in the grammar of Vega-Lite: no browser, no window.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Colours that the colour-blind tell apart (Okabe, Ito 2008). */
export const BLUE = "#0072b2";
export const ORANGE = "#e69f00";
export const GREEN = "#009e73";
export const RED = "#d55e00";
export const PURPLE = "#cc79a7";
export const SKY = "#56b4e9";
export const GREY = "#666666";

/** One look for all pictures. */
const LOOK = {
  background: "white",
  padding: 12,
  config: {
    font: "DejaVu Sans, Verdana, sans-serif",
    axis: { labelFontSize: 11, titleFontSize: 12, titleFontWeight: "normal", gridColor: "#e8e8e8" },
    legend: {
      labelFontSize: 11,
      titleFontSize: 12,
      titleFontWeight: "normal",
      symbolStrokeWidth: 2,
      symbolOpacity: 1,
      titleLimit: 300,
      labelLimit: 300,
    },
    title: {
      fontSize: 14,
      subtitleFontSize: 12,
      subtitleColor: "#444444",
      subtitlePadding: 4,
      anchor: "start",
      offset: 10,
    },
    header: { labelFontSize: 12, titleFontSize: 12 },
  },
} as const satisfies Partial<TopLevelSpec>;

/** Draws a description and writes it to `path`, whose folder is made where it is missing. */
export async function writePicture(path: string, description: TopLevelSpec): Promise<void> {
  const view = new View(parse(compile({ ...description, ...LOOK }).spec), { renderer: "none" });
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${await view.toSVG()}\n`);
  } finally {
    view.finalize();
  }
}
