import { PIXELS, SIDE } from "../digits/digits.js";
import { percent, table } from "../table.js";
import type { Concentration } from "./concentration.js";
import type { Bin } from "./shrinkage.js";
import type { Method, Setting } from "./sweep.js";

/** λ without a tail of zeros: 0.001, 0.00005. */
export function lambdaText(lambda: number): string {
  return lambda.toFixed(8).replace(/0+$/, "").replace(/\.$/, "");
}

/** What a method at each λ came to; the chosen one has an arrow. */
export function settingsTable(settings: readonly Setting[], chosen: Setting): string {
  return table(
    ["λ", "test accuracy", "θ = 0", "|θ| < 0.001", "mean |θ|", "pixels ≥ 0.001", "pixels ≠ 0", ""],
    settings.map((setting) => {
      const { accuracy, zeros, small, meanSize, pixels, pixelsNotZero } = setting.mean;
      return [
        lambdaText(setting.lambda),
        percent(accuracy, 2),
        percent(zeros),
        percent(small),
        meanSize.toFixed(4),
        pixels.toFixed(1),
        pixelsNotZero.toFixed(1),
        setting === chosen ? "◀" : "",
      ];
    }),
  );
}

/** What one step of each penalty takes from weights of each size, in 10⁻³ and as a share. */
export function shrinkageTable(removed: readonly (readonly [method: Method, bins: readonly Bin[]])[]): string {
  const [, first = []] = removed[0] ?? [];
  return table(
    ["|θ| before", ...removed.flatMap(([method]) => [`${method} takes`, "of it"])],
    first.map(({ before }, row) => [
      before.toFixed(4),
      ...removed.flatMap(([, bins]) => {
        const lost = before - (bins[row]?.after ?? before);
        return [lost.toFixed(5), percent(lost / before, 2)];
      }),
    ]),
  );
}

/** How unequal the weights are. */
export function concentrationTable(rows: readonly (readonly [label: string, Concentration])[]): string {
  return table(
    ["", "mean |θ|", "median |θ|", "largest |θ|", "largest 1% hold", "largest 10% hold"],
    rows.map(([label, { meanSize, median, largest, topHundredth, topTenth }]) => [
      label,
      meanSize.toFixed(4),
      median.toFixed(4),
      largest.toFixed(2),
      percent(topHundredth),
      percent(topTenth),
    ]),
  );
}

const SHADES = [" ·", "░░", "▒▒", "▓▓", "██"];

/** Maps of 8×8 pixels side by side: a dot is a pixel without any weight, darker is a larger norm. */
export function pixelMaps(maps: readonly (readonly [label: string, norms: readonly number[]])[]): string {
  const width = 2 * SIDE + 4;
  const shadeOf = (norm: number, largest: number): string =>
    SHADES[norm === 0 ? 0 : Math.min(SHADES.length - 1, 1 + Math.floor((norm / largest) * (SHADES.length - 1)))] ?? "";
  const lines = Array.from({ length: PIXELS / SIDE }, (_, row) =>
    maps.map(([, norms]) => {
      const largest = Math.max(...norms);
      const shades = norms.slice(row * SIDE, (row + 1) * SIDE).map((norm) => shadeOf(norm, largest));
      return shades.join("").padEnd(width);
    }),
  );
  return [maps.map(([label]) => label.padEnd(width)), ...lines].map((cells) => cells.join("").trimEnd()).join("\n");
}
