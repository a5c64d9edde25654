// The page of a report. It has no script: everything stands in it as it is read.
import type { DependenceFacts, ReportFacts, TargetFacts } from "../facts.js";
import { shortNumber } from "../slices.js";
import {
  dependenceChart,
  escaped,
  histogramChart,
  importanceChart,
  linesChart,
  precisionRecallChart,
  reliabilityChart,
  rocChart,
  scatterChart,
} from "./charts.js";
import { STYLE } from "./style.js";
import {
  byText,
  counted,
  durationText,
  percent,
  rowsOf,
  rowsText,
  scoreText,
  signedText,
  sizeText,
  standing,
  verdictOf,
} from "./text.js";

/** A cell of a table: numbers stand to the right. */
type CellText = string | { readonly n: string; readonly kind?: string | undefined };

function cell(tag: "td" | "th", given: CellText): string {
  if (typeof given === "string") return `<${tag}>${escaped(given)}</${tag}>`;
  return `<${tag} class="n${given.kind === undefined ? "" : ` ${given.kind}`}">${escaped(given.n)}</${tag}>`;
}

/** A table whose first column names the row; it scrolls by itself where it is wide, with the keyboard, too. */
function tableText(caption: string, head: readonly CellText[], rows: readonly (readonly CellText[])[]): string {
  const heads = head.map((one) => cell("th", one).replace("<th", '<th scope="col"')).join("");
  const body = rows.map(([first = "", ...others]) => {
    return `<tr>${cell("th", first).replace("<th", '<th scope="row"')}${others.map((one) => cell("td", one)).join("")}</tr>`;
  });
  return `<p class="note">${escaped(caption)}</p><div class="wide" tabindex="0" role="region" aria-label="${escaped(caption)}"><table><thead><tr>${heads}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}

function figure(title: string, text: string, chart: string, data = ""): string {
  const more = data === "" ? "" : `<details><summary>The numbers: ${escaped(title)}</summary>${data}</details>`;
  return `<figure><figcaption><strong>${escaped(title)}</strong>${text}</figcaption>${chart}${more}</figure>`;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: string;
}

const grid = (figures: readonly string[]): string => `<div class="grid">${figures.join("")}</div>`;
const n = (value: string, kind?: string): CellText => ({ n: value, kind });

const STANDING = { good: "better", bad: "worse" } as const;

function scoresTable({ scores, target }: TargetFacts): string {
  const rows = scores.map((score): readonly CellText[] => {
    const found = standing(score);
    const { difference } = score;
    const interval = `${signedText(difference.low)} to ${signedText(difference.high)}`;
    return [
      `${score.measure}, ${score.best === "high" ? "higher" : "lower"} is better`,
      n(scoreText(score.value), found),
      n(`${scoreText(score.low)} to ${scoreText(score.high)}`),
      n(scoreText(score.linear)),
      n(scoreText(score.constant)),
      `${found === undefined ? "no difference beyond chance" : STANDING[found]} (${interval})`,
    ];
  });
  const beside = scores[0]?.linear === undefined ? "beside the constant" : "beside the linear model";
  const head = ["measure", n("this model"), n("95% interval"), n("linear"), n("constant"), beside];
  const caption = `Scores of ${target}, beside those of a linear model and of a constant answer on the same rows`;
  return tableText(caption, head, rows);
}

function confusionText({ confusion, target }: TargetFacts): string {
  if (confusion === undefined) return "";
  const { counts, classes } = confusion;
  const most = Math.max(1, ...counts.flat());
  const head = classes.map(({ name }) => `<th scope="col" class="n">${escaped(name)}</th>`).join("");
  const body = counts.map((line, at) => {
    const cells = line.map(
      (count) =>
        `<td class="heat" style="background:rgba(var(--tint),${((0.32 * count) / most).toFixed(3)})">${counted(count)}</td>`,
    );
    return `<tr><th scope="row">${escaped(classes[at]?.name ?? "")}</th>${cells.join("")}</tr>`;
  });
  const caption = "Rows by what they are (down), and by what was said of them (across)";
  const matrix = `<p class="note">${caption}</p><div class="wide" tabindex="0" role="region" aria-label="${escaped(`Confusion matrix of ${target}`)}"><table><thead><tr><td></td>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
  const rows = classes.map(({ name, rows, precision, recall, f1 }) => [
    name,
    n(counted(rows)),
    n(percent(precision)),
    n(percent(recall)),
    n(scoreText(f1)),
  ]);
  const figures = tableText("By class", ["class", n("rows"), n("precision"), n("recall"), n("F1")], rows);
  return `<div class="grid"><div>${matrix}</div><div>${figures}</div></div>`;
}

function thresholdText({ twoClasses, classes }: TargetFacts): string {
  if (twoClasses === undefined) return "";
  const { threshold, by, precision, recall, wrong, missed } = twoClasses.chosen;
  const name = escaped(classes?.[1] ?? "yes");
  return `<p>Where the probability of <strong>${name}</strong> is above <strong>${scoreText(threshold)}</strong>, ${name} is said: this threshold has ${escaped(byText(by))}. Of what is said to be ${name} ${percent(precision)} are, and of all that are ${percent(recall)} are found: ${rowsText(wrong)} too many, ${rowsText(missed)} missed. It was chosen on these rows, which flatters it a little.</p>`;
}

function curves({ twoClasses, classes }: TargetFacts): readonly string[] {
  if (twoClasses === undefined) return [];
  const { roc, area, precisionRecall, averagePrecision, chosen } = twoClasses;
  const name = classes?.[1] ?? "yes";
  const table = (
    points: TargetFacts["twoClasses"] extends infer _ ? typeof roc : never,
    head: readonly string[],
  ): string =>
    tableText(
      "Points of the curve",
      head.map((one) => n(one)),
      points
        .filter((_, at) => at % 8 === 0 || at === points.length - 1)
        .map(([x, y]) => [n(percent(x)), n(percent(y))]),
    );
  return [
    figure(
      "ROC curve",
      `Share of ${escaped(name)} that is found, as more of the others are taken for it. Area ${scoreText(area)}; guessing has the dashed line.`,
      rocChart(`ROC curve of ${name}: the area under it is ${scoreText(area)}`, roc),
      table(roc, ["others taken for it", "found"]),
    ),
    figure(
      "Precision over recall",
      `Share of what is said to be ${escaped(name)} that is. Average precision ${scoreText(averagePrecision)}. <span class="key second"></span>the threshold that was chosen.`,
      precisionRecallChart(
        `Precision over recall of ${name}: average precision ${scoreText(averagePrecision)}`,
        precisionRecall,
        [chosen.recall, chosen.precision],
      ),
      table(precisionRecall, ["recall", "precision"]),
    ),
  ];
}

function calibration({ calibration: found, classes }: TargetFacts): readonly string[] {
  if (found === undefined) return [];
  const { temperature, error, bins, calibrated } = found;
  const pointsOf = (list: typeof bins) => list.map(({ predicted, observed }) => [predicted, observed] as const);
  const mood =
    temperature > 1.05
      ? "It is too sure of itself"
      : temperature < 0.95
        ? "It is too timid"
        : "It is neither too sure nor too timid";
  const of = (classes?.length ?? 2) > 2 ? "the class that is said" : `“${escaped(classes?.[1] ?? "yes")}”`;
  const text = `How often ${of} was true, by the probability that was said. On average they are ${percent(error)} apart. ${mood}: at temperature ${scoreText(temperature)} they are ${percent(calibrated.error)} apart. <span class="key first"></span>as it is <span class="key second"></span>at that temperature`;
  const rows = bins.map((bin) => [
    n(`${percent(bin.from)} to ${percent(bin.to)}`),
    n(counted(bin.rows)),
    n(percent(bin.predicted)),
    n(percent(bin.observed)),
  ]);
  return [
    figure(
      "Calibration",
      text,
      reliabilityChart(
        `Reliability: on average probabilities are ${percent(error)} from how often it came`,
        pointsOf(bins),
        pointsOf(calibrated.bins),
      ),
      tableText("Probabilities as they are", [n("said"), n("rows"), n("mean"), n("came")], rows),
    ),
  ];
}

function residuals({ residuals: found, target }: TargetFacts): readonly string[] {
  if (found === undefined) return [];
  const quantiles = found.quantiles.map(
    ({ share, error }) => `${percent(share)} of the rows by less than ${shortNumber(error)}`,
  );
  const rows = found.histogram.counts.map((count, at) => [
    n(`${shortNumber(found.histogram.edges[at] ?? 0)} to ${shortNumber(found.histogram.edges[at + 1] ?? 0)}`),
    n(counted(count)),
  ]);
  return [
    figure(
      "What is true, over what was said",
      `${escaped(target)} of ${counted(found.points.length)} rows. On the dashed line both are the same.`,
      scatterChart(`${target}: what is true over what the model says, of ${found.points.length} rows`, found.points),
    ),
    figure(
      "Errors",
      `What is true less what was said. It is off in ${quantiles.join(", ")}.`,
      histogramChart(`Errors of ${target}: off in ${quantiles.join(", ")}`, "error", found.histogram),
      tableText("Rows by error", [n("error"), n("rows")], rows),
    ),
  ];
}

function targetSections(facts: ReportFacts): readonly Section[] {
  const several = facts.targets.length > 1;
  return facts.targets.map((one, at) => {
    const figures = [...curves(one), ...calibration(one), ...residuals(one)];
    const body = `${scoresTable(one)}<br>${thresholdText(one)}${confusionText(one)}<br>${grid(figures)}`;
    return { id: `target-${at + 1}`, title: several ? `Scores: ${one.target}` : "Scores", body };
  });
}

/** Columns of the chart of importances; the rest stands in its table. */
const BARS = 15;

function importance({ importance: { measure, rows, columns } }: ReportFacts): string {
  const first = columns.slice(0, BARS);
  const text = `How much worse the ${measure} gets where the values of one column are shuffled over ${rowsText(rows)}, with the standard deviation of the repeats. Columns that say the same share it.`;
  const table = tableText(
    "Loss by column",
    ["column", n("mean"), n("± deviation")],
    columns.map(({ column, mean, deviation }) => [column, n(shortNumber(mean)), n(shortNumber(deviation))]),
  );
  const about = `Importance of columns, the largest first: ${first
    .slice(0, 5)
    .map(({ column }) => column)
    .join(", ")}`;
  return figure("Importance", escaped(text), importanceChart(about, first), table);
}

function dependences({ dependence }: ReportFacts): readonly string[] {
  const all = dependence.flatMap(({ points }) => points.map(({ mean }) => mean));
  const span = [Math.min(...all), Math.max(...all)] as const;
  return dependence.map(({ column, of, points }: DependenceFacts) =>
    figure(
      column,
      `Mean of ${escaped(of)}, with ${escaped(column)} set to one value after the other in all rows.`,
      dependenceChart(`Partial dependence of ${of} on ${column}`, column, points, span),
      tableText(
        "Values",
        ["value", n("mean"), n("rows near it")],
        points.map(({ value, mean, rows }) => [value, n(shortNumber(mean)), n(counted(rows))]),
      ),
    ),
  );
}

function slices({ slices: { error, mean, worst } }: ReportFacts): string {
  if (worst.length === 0) return "<p>There are too few rows to compare parts of them.</p>";
  const rows = worst.map((slice) => [
    `${slice.column}: ${slice.value}`,
    n(counted(slice.rows)),
    n(scoreText(slice.error), Math.abs(slice.apart) < 3 ? undefined : slice.apart > 0 ? "bad" : "good"),
    n(scoreText(slice.others)),
    n(slice.apart.toFixed(1)),
  ]);
  const head = ["rows where", n("rows"), n(error), n("all other rows"), n("apart, in standard errors")];
  return `<p>Rows that are alike in a column, those first whose ${escaped(error)} is furthest from that of all other rows (${scoreText(mean)} on average). Of so many comparisons some are apart by chance: below 3 standard errors take it for none.</p>${tableText("Errors by slice", head, rows)}`;
}

function weightsText(best: number, again: boolean): string {
  if (!again) return `Weights are those of epoch ${best}. `;
  return `Then it was trained once more, on all rows, for ${best === 1 ? "an epoch" : `${best} epochs`}. `;
}

function training({ training: members }: ReportFacts): string {
  const told = members.filter(({ epochs }) => epochs.length > 1);
  if (told.length === 0) return "<p>The model keeps no history of its training.</p>";
  const figures = told.map(({ name, best, again = false, epochs, weight }) =>
    figure(
      name,
      `Loss by epoch. ${best === undefined ? "" : weightsText(best, again)}${weight < 1 ? `Weight in the answer: ${percent(weight)}. ` : ""}<span class="key faint"></span>training <span class="key first"></span>held out`,
      linesChart(`Loss of ${name} by epoch`, "epoch", [
        { points: epochs.map(({ epoch, loss }) => [epoch, loss] as const), kind: "faint" },
        { points: epochs.map(({ epoch, validationLoss }) => [epoch, validationLoss] as const), kind: "first" },
      ]),
    ),
  );
  return grid(figures);
}

function weights({ weights: layers }: ReportFacts): string {
  if (layers.length === 0) return "";
  const figures = layers.map(({ name, members, shape, zeros, size, histogram }) =>
    figure(
      name,
      `${shape.join(" × ")}${members > 1 ? `, of ${members} members` : ""}; root of the mean square ${shortNumber(size)}; ${percent(zeros)} are exactly 0.`,
      histogramChart(`Weights of ${name}`, "weight", histogram),
    ),
  );
  return `<p>L2 and decay draw weights together, which makes the root of the mean square small; L1 makes weights exactly 0.</p>${grid(figures)}`;
}

function columnsText({ columns, rows }: ReportFacts): string {
  const lines = columns.map(({ name, kind, why, missing, examples }) => [
    name,
    kind,
    why,
    n(missing === 0 ? "" : percent(missing / rows.all)),
    examples.join(", "),
  ]);
  return tableText("Columns as they were understood", ["column", "kind", "why", n("missing"), "such as"], lines);
}

function made(facts: ReportFacts): string {
  const { cost, made: how, rows } = facts;
  const lines: readonly (readonly [string, string | undefined])[] = [
    ["rows in the table", counted(rows.all)],
    ["training", cost.seconds === undefined ? undefined : `${shortNumber(Number(cost.seconds.toPrecision(3)))} s`],
    ["a row among many", durationText(cost.microsecondsPerRow)],
    ["one row alone", durationText(cost.microsecondsAlone)],
    ["weights", cost.parameters === undefined ? undefined : counted(cost.parameters)],
    ["file", cost.bytes === undefined ? undefined : sizeText(cost.bytes)],
    ["seed", how.seed === undefined ? undefined : String(how.seed)],
    ["made with", `Node.js ${how.node}, ${how.isa}, bits of version ${how.numericsVersion}`],
  ];
  const table = tableText(
    "The run",
    ["what", n("figure")],
    lines.flatMap(([name, text]) => (text === undefined ? [] : [[name, n(text)]])),
  );
  const pre = (label: string, text: string): string =>
    `<h3>${label}</h3><pre tabindex="0" aria-label="${label}">${escaped(text)}</pre>`;
  const command = how.command === undefined ? "" : pre("The command that makes it again", how.command);
  const job = how.job === undefined ? "" : pre("The job as it was run", JSON.stringify(how.job, null, 2));
  return `${table}${command}${job}`;
}

function warningsText({ warnings }: ReportFacts): string {
  if (warnings.length === 0)
    return "<p>Nothing was found: no column gives the target away, none names rows, none is constant, no row stands twice.</p>";
  return `<ul class="warnings">${warnings.map(({ kind, text }) => `<li><strong>${escaped(kind)}</strong>: ${escaped(text)}</li>`).join("")}</ul>`;
}

/** The page of a report. */
export function pageOf(facts: ReportFacts): string {
  const sections: readonly Section[] = [
    { id: "warnings", title: "To look at", body: warningsText(facts) },
    ...targetSections(facts),
    {
      id: "columns-matter",
      title: "What the answers depend on",
      body: grid([importance(facts), ...dependences(facts)]),
    },
    { id: "slices", title: "Where it errs", body: slices(facts) },
    { id: "training", title: "Training", body: training(facts) },
    ...(facts.weights.length === 0 ? [] : [{ id: "weights", title: "Weights by layer", body: weights(facts) }]),
    { id: "columns", title: "Columns", body: columnsText(facts) },
    { id: "again", title: "The run, and how to make it again", body: made(facts) },
  ];
  const nav = sections.map(({ id, title }) => `<li><a href="#${id}">${escaped(title)}</a></li>`).join("");
  const [first] = facts.targets;
  const [score] = first?.scores ?? [];
  const hero =
    score === undefined
      ? ""
      : `<div class="hero"><b>${scoreText(score.value)}</b><p>${escaped(verdictOf(score))}</p></div>`;
  const title = escaped(facts.name);
  const body = sections.map(
    ({ id, title: heading, body: inner }) =>
      `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${escaped(heading)}</h2>${inner}</section>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none';style-src 'unsafe-inline';img-src data:">`,
    `<link rel="icon" href="data:,"><title>${title}: report</title><style>${STYLE}</style></head><body>`,
    '<a class="skip" href="#content">To the content</a>',
    `<header><h1>${title}</h1><p class="soft">${escaped(facts.target.join(", "))}: ${TASK[facts.task]}. ${escaped(rowsOf(facts))}</p>${hero}`,
    `<nav aria-label="Sections"><ul>${nav}</ul></nav></header>`,
    `<main id="content">${body.join("\n")}</main>`,
    "<footer><p>Made by carillon. This page loads nothing and runs no script.</p></footer></body></html>\n",
  ].join("\n");
}

const TASK = {
  binary: "one of two classes",
  classes: "one of several classes",
  value: "a value",
  values: "several values",
  labels: "yes or no, several times",
} as const;
