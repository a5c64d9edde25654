// The same report as Markdown, for terminals and pull requests.
import type { ReportFacts, TargetFacts } from "../facts.js";
import { shortNumber } from "../slices.js";
import { byText, counted, durationText, percent, rowsOf, scoreText, sizeText, verdictOf } from "./text.js";

/** Text that starts no cell, tag or line of its own. */
const plain = (text: string): string => text.replace(/[\\|<]/g, "\\$&").replace(/[\r\n]+/g, " ");

function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(plain).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

function targetText(one: TargetFacts, several: boolean): readonly string[] {
  const { scores, confusion, calibration, twoClasses, residuals, classes } = one;
  const rows = scores.map(({ measure, value, low, high, linear, constant }) => [
    measure,
    scoreText(value),
    `${scoreText(low)} to ${scoreText(high)}`,
    scoreText(linear),
    scoreText(constant),
  ]);
  const parts = [
    `## Scores${several ? `: ${plain(one.target)}` : ""}`,
    tableText(["measure", "this model", "95% interval", "linear", "constant"], rows),
  ];
  if (twoClasses !== undefined) {
    const { threshold, by, precision, recall } = twoClasses.chosen;
    parts.push(
      `'${plain(classes?.[1] ?? "")}' above ${scoreText(threshold)} (${byText(by)}): precision ${percent(precision)}, recall ${percent(recall)}.`,
    );
  }
  if (confusion !== undefined) {
    const names = confusion.classes.map(({ name }) => name);
    const lines = confusion.counts.map((line, at) => [names[at] ?? "", ...line.map(counted)]);
    parts.push(tableText(["is, then said", ...names], lines));
  }
  if (calibration !== undefined) {
    const { error, temperature, calibrated } = calibration;
    parts.push(
      `Probabilities are ${percent(error)} from how often it came; at temperature ${scoreText(temperature)} ${percent(calibrated.error)}.`,
    );
  }
  if (residuals !== undefined) {
    const quantiles = residuals.quantiles.map(
      ({ share, error }) => `${percent(share)} of the rows by less than ${shortNumber(error)}`,
    );
    parts.push(`It is off in ${quantiles.join(", ")}.`);
  }
  return parts;
}

/** The Markdown of a report. */
export function markdownOf(facts: ReportFacts): string {
  const { targets, importance, slices, columns, cost, made, warnings, rows } = facts;
  const [score] = targets[0]?.scores ?? [];
  const parts = [
    `# ${plain(facts.name)}`,
    ...(score === undefined ? [] : [`**${verdictOf(score)}** ${rowsOf(facts)}`]),
    ...(warnings.length === 0
      ? []
      : ["## To look at", warnings.map(({ kind, text }) => `- **${kind}**: ${plain(text)}`).join("\n")]),
    ...targets.flatMap((one) => targetText(one, targets.length > 1)),
    "## What the answers depend on",
    tableText(
      ["column", `${importance.measure} lost where it is shuffled`, "± deviation"],
      importance.columns.map(({ column, mean, deviation }) => [column, shortNumber(mean), shortNumber(deviation)]),
    ),
    "## Where it errs",
    tableText(
      ["rows where", "rows", slices.error, "all other rows", "standard errors apart"],
      slices.worst.map((slice) => [
        `${slice.column}: ${slice.value}`,
        counted(slice.rows),
        scoreText(slice.error),
        scoreText(slice.others),
        slice.apart.toFixed(1),
      ]),
    ),
    "## Columns",
    tableText(
      ["column", "kind", "why", "missing"],
      columns.map(({ name, kind, why, missing }) => [
        name,
        kind,
        why,
        missing === 0 ? "" : percent(missing / rows.all),
      ]),
    ),
    "## The run",
    [
      `- a row among many: ${durationText(cost.microsecondsPerRow)}; one row alone: ${durationText(cost.microsecondsAlone)}`,
      ...(cost.bytes === undefined ? [] : [`- file: ${sizeText(cost.bytes)}`]),
      ...(made.seed === undefined ? [] : [`- seed: ${made.seed}`]),
    ].join("\n"),
    ...(made.command === undefined ? [] : [`\`\`\`sh\n${made.command}\n\`\`\``]),
  ];
  return `${parts.join("\n\n")}\n`;
}
