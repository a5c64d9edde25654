// Models that are formulas, in the place of trained ones: what a report must say of them is known.
import { type ReportedModel, schemaOf, type Table, table } from "carillon";

/** Numbers in [0, 1) that follow one another. */
export function drawing(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

export interface Story {
  readonly model: ReportedModel;
  readonly rows: Table;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

function historyOf(epochs: number, draw: () => number) {
  return Array.from({ length: epochs }, (_, at) => ({
    epoch: at + 1,
    loss: 0.3 + 0.4 * Math.exp(-at / 9) + 0.02 * draw(),
    validationLoss: 0.36 + 0.35 * Math.exp(-at / 7) + 0.0004 * at + 0.02 * draw(),
  }));
}

function weightsOf(draw: () => number): ReportedModel["model"] {
  const gaussian = (): number => draw() + draw() + draw() + draw() - 2;
  const names = ["numeric_embedding1.frequency", "ntk_linear1.weight", "ntk_linear2.weight", "ntk_linear3.weight"];
  const all = new Map(
    names.map((name, at) => {
      const data = Float32Array.from({ length: 32 * 24 }, () => (at === 2 && draw() < 0.4 ? 0 : gaussian() / (at + 1)));
      return [name, { shape: [32, 24], data }] as const;
    }),
  );
  return { weights: () => all };
}

/** What every story has besides its answers. */
async function storyOf(
  rows: Table,
  target: string | readonly string[],
  say: (row: Readonly<Record<string, unknown>>) => readonly number[],
): Promise<Story> {
  const { schema } = await schemaOf(rows, { target });
  const task = schema.task ?? "value";
  const draw = drawing(5);
  const isValue = task === "value" || task === "values";
  const answersTo = (asked: Table) => {
    const data = Float32Array.from(Array.from(asked, say).flat());
    return { shape: [asked.rows, data.length / asked.rows], data };
  };
  const names = typeof target === "string" ? [target] : target;
  const [first = ""] = names;
  const column = rows.column(first);
  const levels =
    schema.columns[first]?.kind === "boolean" ? ["no", "yes"] : column.kind === "text" ? [...column.levels].sort() : [];
  return {
    rows,
    model: {
      task,
      target: names,
      classes: task === "binary" || task === "classes" ? levels : undefined,
      schema,
      predict: (asked) => {
        const answers = answersTo(asked);
        return Promise.resolve(isValue ? { values: answers } : { probabilities: answers });
      },
      outOfFold: { rows: Uint32Array.from({ length: rows.rows }, (_, row) => row), answers: answersTo(rows) },
      members: [1, 2, 3].map((fold) => ({
        kind: "realMlp",
        fold,
        weight: 1 / 3,
        best: { epoch: 30 },
        history: historyOf(60, draw),
      })),
      seed: 0,
      model: weightsOf(draw),
      bytes: () => new Uint8Array(1_234_567),
    },
  };
}

/** Who leaves: probabilities that are twice as sure as they may be. */
export async function churn(count = 600): Promise<Story> {
  const draw = drawing(1);
  const logit = (row: Readonly<Record<string, unknown>>): number =>
    (Number(row.minutes) - 50) / 20 +
    (row.plan === "basic" ? 1 : row.plan === "pro" ? -0.5 : 0) +
    (row.calls === null ? 0 : Number(row.calls) / 4 - 1);
  const rows = await table(
    Array.from({ length: count }, () => {
      const row = {
        minutes: Math.round(draw() * 1000) / 10,
        plan: ["basic", "pro", "family"][Math.floor(draw() * 3)],
        calls: draw() < 0.1 ? null : Math.floor(draw() * 9),
        nights: Math.round(draw() * 400) / 7,
        '<b>quoted"&': Math.round(draw() * 1e6) / 1e3,
      };
      return { ...row, churned: draw() < sigmoid(logit(row)) ? "yes" : "no" };
    }),
  );
  return await storyOf(rows, "churned", (row) => {
    const yes = sigmoid(2 * logit(row));
    return [1 - yes, yes];
  });
}

/** Three kinds of wine, told by two numbers. */
export async function wines(count = 400): Promise<Story> {
  const draw = drawing(2);
  const names = ["red", "rosé", "white & <sweet>"];
  const rows = await table(
    Array.from({ length: count }, () => {
      const kind = Math.floor(draw() * 3);
      return {
        acid: kind + draw() * 1.6 + draw() / 7,
        sugar: (kind === 1 ? 2 : 0) + draw() * 3,
        dry: draw() < 0.5,
        kind: names[kind] ?? "",
      };
    }),
  );
  const sharpness = [...names].sort().map((name) => names.indexOf(name));
  return await storyOf(rows, "kind", (row) => {
    const scores = sharpness.map((kind) =>
      Math.exp(-2 * (Number(row.acid) - kind - 0.85) ** 2 + (kind === 1 ? 0.4 : 0) * (Number(row.sugar) - 2)),
    );
    const sum = scores.reduce((one, other) => one + other, 0);
    return scores.map((score) => score / sum);
  });
}

/** Prices, and of a day: a column of time. */
export async function prices(count = 500): Promise<Story> {
  const draw = drawing(3);
  const say = (row: Readonly<Record<string, unknown>>): number =>
    40 * Number(row.rooms) + (row.town === "Bern" ? 60 : 0) + Number(row.area);
  const rows = await table(
    Array.from({ length: count }, (_, at) => {
      const row = {
        rooms: 1 + Math.floor(draw() * 6),
        area: 30 + draw() * 120,
        town: ["Bern", "Chur", "Genf", "Thun"][Math.floor(draw() * 4)],
        sold: new Date(Date.UTC(2020, 0, 1 + at)),
      };
      return { ...row, price: say(row) + 40 * (draw() + draw() - 1) };
    }),
  );
  return await storyOf(rows, "price", (row) => [say(row)]);
}

/** Two values of a row. */
export async function weather(count = 300): Promise<Story> {
  const draw = drawing(4);
  const rows = await table(
    Array.from({ length: count }, () => {
      const height = draw() * 3000;
      return { height, cloud: draw(), heat: 20 - height / 150 + draw(), wind: height / 300 + 3 * draw() };
    }),
  );
  return await storyOf(rows, ["heat", "wind"], (row) => [
    20.5 - Number(row.height) / 150,
    Number(row.height) / 300 + 1.5,
  ]);
}
