// Every value of real files, changed one at a time and sealed again: what no run can write is refused by its place, and what is
// still accepted stands in a table with its reason. All of them: CARILLON_MUTATIONS=all npx vitest run test/train/mutations.test.ts

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  CarillonError,
  calibrationError,
  cosineDecay,
  crossEntropy,
  dataset,
  defineMetric,
  dropout,
  earlyStopping,
  embeddingBag,
  type FitOptions,
  fit,
  l1,
  l2,
  linear,
  loadCheckpoint,
  loadModel,
  lstm,
  type Model,
  maxNorm,
  minimizer,
  minMax,
  mse,
  muon,
  ops,
  partition,
  program,
  ragged,
  reduceOnPlateau,
  relu,
  rmsprop,
  saveCheckpoint,
  sequential,
  sgd,
  spec,
  standardize,
  topK,
  windows,
} from "carillon";
import { beforeAll, describe, expect, test } from "vitest";
import { checkSettings } from "../../lib/train/options.js";
import { findBeginning } from "../../lib/train/parts.js";
import { type Mutation, mutationsOf } from "./mutated.js";
import { clusters } from "./synthetic.js";

/** A run, and its checkpoint. */
interface Job {
  make(): Model;
  options(): FitOptions;
  checkpoint(): Promise<Uint8Array>;
}

const CLASSES = clusters(50, 4, 3);
const NAMES = ["ash", "birch", "cedar"];
const TABLE = {
  x: Array.from({ length: 20 }, (_, row) => [row / 4, (row * 5) % 12, 3 - row]),
  y: Array.from({ length: 20 }, (_, row) => [row - 2, (row * row) % 7]),
};

const counting = (): Callback => {
  let seen = { steps: 0n, at: new Date(5), by: new Map([["loss", [0.5, Number.NaN]]]), last: Float64Array.of(1, 2) };
  return {
    name: "counting",
    every: { steps: 2 },
    decide() {
      seen = { ...seen, steps: seen.steps + 1n };
    },
    state: () => seen,
    restore(state) {
      seen = state as typeof seen;
    },
  };
};

const bias = defineMetric({
  name: "bias",
  start: () => ({ sum: 0, weight: 0 }),
  add({ sum, weight }, { rows, outputs }) {
    return { sum: sum + (outputs[0] ?? 0), weight: weight + rows };
  },
  result: ({ sum, weight }) => sum / weight,
});

const classifier = (): FitOptions => ({
  data: { x: CLASSES.x, y: Array.from(CLASSES.y, (label) => NAMES[label] ?? "") },
  classes: NAMES,
  validation: { x: CLASSES.x.subarray(0, 80), y: Array.from(CLASSES.y.subarray(0, 20), (label) => NAMES[label] ?? "") },
  inputs: standardize(),
  loss: crossEntropy({ labelSmoothing: 0.1 }),
  optimizer: adam({ lr: cosineDecay({ lr: 0.01 }) }),
  regularizer: [l2(1e-3), l1(1e-4)],
  averageWeights: { decay: 0.9, biasCorrection: true },
  accumulate: 2,
  batchSize: 16,
  metrics: ["accuracy", "f1", "auc", "logLoss", "confusionMatrix", topK(2), calibrationError({ bins: 3 })],
  callbacks: [
    earlyStopping({ monitor: "validation.accuracy", patience: 9, restoreBest: true }),
    reduceOnPlateau({ monitor: "loss", patience: 2 }),
  ],
  seed: 3,
  steps: 11,
});

const table = (): FitOptions => ({
  data: TABLE,
  validation: TABLE,
  validate: { every: { steps: 3 } },
  targets: minMax(),
  loss: mse(),
  optimizer: partition([
    ["linear1.weight", muon({ lr: 0.01 })],
    ["linear1.bias", null],
    ["*", sgd({ lr: 0.01, momentum: 0.9, nesterov: true })],
  ]),
  clip: { norm: 1 },
  regularizer: maxNorm(3),
  averageWeights: { decay: 0.5 },
  metrics: ["mae", "rmse", "r2", bias],
  callbacks: [earlyStopping({ monitor: "validation.mae", patience: 1 })],
  batchSize: 32,
  seed: 4,
  epochs: 5,
});

const streamed = (): FitOptions => ({
  data: dataset(() => TABLE.x.map((x, row) => ({ x, y: TABLE.y[row] ?? [] })), { shuffleBuffer: 8 }),
  loss: mse(),
  optimizer: rmsprop({ lr: 0.01, centered: true }),
  metrics: [bias],
  callbacks: [counting()],
  batchSize: 6,
  steps: 10,
});

const carried = (): FitOptions =>
  ({
    data: windows(
      Float32Array.from({ length: 70 }, (_, step) => Math.sin(step / 3)),
      { length: 4, carry: true },
    ),
    loss: mse(),
    optimizer: sgd({ lr: 0.1 }),
    batchSize: 4,
    steps: 7,
  }) as FitOptions;

const byLength = (): FitOptions =>
  ({
    data: {
      x: {
        offsets: Int32Array.from({ length: 21 }, (_, row) => row * 2),
        ids: Int32Array.from({ length: 40 }, (_, at) => at % 5),
      },
      y: TABLE.y,
    },
    batchBy: { lengths: "x", pool: 2 },
    loss: mse(),
    optimizer: sgd({ lr: 0.1 }),
    batchSize: 4,
    steps: 7,
  }) as unknown as FitOptions;

const recurrent = (): Model => sequential({ input: [4, 1] }, lstm(1, 2), linear(2, 1)) as unknown as Model;
const bags = (): Model => sequential({ input: ragged("i32") }, embeddingBag(5, 3), linear(3, 2)) as unknown as Model;

const wide = (): Model => sequential(linear(4, 5), relu(), dropout(0.2), linear(5, 3));
const small = (): Model => sequential(linear(3, 4), relu(), linear(4, 2));

const ended = (make: () => Model, options: () => FitOptions): Job["checkpoint"] => {
  return async () => (await fit(make(), options())).checkpoint();
};

const JOBS: Readonly<Record<string, Job>> = {
  classes: { make: wide, options: classifier, checkpoint: ended(wide, classifier) },
  table: { make: small, options: table, checkpoint: ended(small, table) },
  stream: { make: small, options: streamed, checkpoint: ended(small, streamed) },
  lanes: { make: recurrent, options: carried, checkpoint: ended(recurrent, carried) },
  lengths: { make: bags, options: byLength, checkpoint: ended(bags, byLength) },
  /** Whose data was another on the way, in the middle of an epoch. */
  grown: {
    make: small,
    options: () => ({
      ...table(),
      optimizer: adam(),
      callbacks: [],
      validation: undefined,
      validate: undefined,
      epochs: undefined,
      batchSize: 8,
      steps: 9,
    }),
    async checkpoint() {
      const { data: _data, ...options } = JOBS.grown?.options() ?? table();
      const first = await fit(small(), { ...options, data: { x: TABLE.x.slice(2), y: TABLE.y.slice(2) }, steps: 4 });
      const resume = { from: first.checkpoint(), data: "changed" } as const;
      return (await fit(small(), { ...options, data: TABLE, steps: 8, resume })).checkpoint();
    },
  },
};

const ALL = process.env.CARILLON_MUTATIONS === "all";
/** Of how many mutations one is tried. */
const EVERY = ALL ? 1 : 29;

/** What is accepted, and why: a place of a file, and what was put there. */
const ACCEPTED: readonly (readonly [place: RegExp, change: RegExp, reason: string])[] = [
  [/./, /^a key more$/, "a reader leaves alone what it does not know (docs/files.md)"],
  [/^version$/, /^deleted$/, "absent in the first files, which are read the same (docs/files.md)"],
  [/^loss$/, /./, "of a model: one of the user's own, which no file names, or of a later version, which is left alone"],
  [/^(?:inputs|targets|classes)$/, /^deleted$/, "of a model: it may have no units or names"],
  [/^(?:layers|settings)\b.*/, /^deleted$|^an object$/, "what is absent is none, as null is: nothing differs"],
  [/^layers\[\d\]\.config\.dropConnect$/, /^(?:half|deleted)$/, "a model may have it; the first files had none"],
  [/^classes/, /./, "of a model: any names, in any order"],
  [/^(?:inputs|targets)\.kind$/, /text/, "of a model: transforms may be the user's own"],
  [/^(?:inputs|targets)\.(?:shift|scale)/, /./, "of a model: any finite number is a shift, any but 0 a scale"],
  [/^linear\d\.\w+\[\d+\]$/, /./, "of a model: weights that the user has set may be any"],
  [
    /^weights\/|^average\/|^\w*[mM]o(?:ment|mentum)\/|^mean\/|^velocity\//,
    /^-?[\d.e+]+$/,
    "any finite number is a weight or a state",
  ],
  [/^(?:weights|states)\/(?:model|minimizer)\/.*\[\d+\]$/, /./, "of a loop, which may save any numbers"],
  [/^state\b/, /./, "what a loop wants back, of any form"],
  [/^steps\.program$/, /./, "of a loop: a program may have done any number of steps"],
  [/^counts\.minimizer\.\w+$/, /./, "of a loop: a step makes as many updates as its body says"],
  [/^progress\.callbacks\.counting\b/, /./, "the state of a user's callback, of any form"],
  [/^progress\.metrics\.bias\b/, /./, "the state of a user's metric, of any form"],
  [/^arrays\//, /./, "elements of a callback's or metric's state, or figures that may be so, NaN too"],
  [
    /^progress\.(?:callbacks|data\.transforms)$/,
    /^(?:the first object|an object)$/,
    "an object without the members that are asked for",
  ],
  [/^progress\.data\.(?:origin|transforms\.\w+)$/, /^(?:deleted|null)$/, "what is absent is none"],
  [
    /^progress\.data\.lanes$/,
    /^(?:deleted|null)$/,
    "of rows that stand by themselves: whether they do, the data tells",
  ],
  [/^input$/, /./, "of a model: what its rows are, which a run knows of its own model"],
  [/^progress\.metrics$/, /^the first object$/, "an object without the members that are asked for"],
  [/^progress\.data\.classes$/, /^(?:deleted|undefined)$/, "what is absent is none"],
  [/^progress\.data\.lanes\b/, /^(?:deleted|the first object)$/, "what the network keeps is known once it is recorded"],
  [/^progress\.data\.origin\.epoch$/, /./, "epochs before other data came are counted nowhere else"],
  [/^progress\.data\.stream\.ended$/, /^true$/, "at the end of a run, whose last epoch is told of anyway"],
  [/^progress\.(?:bitEqual|undecided)$/, /^(?:true|false)$/, "what was decided is known to nothing else in the file"],
  [/^progress\.rateScale$/, /./, "callbacks may have set any rate"],
  [/^progress\.seed$/, /./, "any integer is a seed, where the run is not given its own"],
  [/^progress\.sums\[\d\]$/, /./, "sums of losses and weights are what the data makes them"],
  [
    /^progress\.metrics\.(?:accuracy|f1|logLoss|top2|calibrationError|confusionMatrix|mae|rmse|r2)\b/,
    /./,
    "sums of weights within those of the examples, and of errors",
  ],
  [/^progress\.validation$/, /./, "there may have been none"],
  [/^progress\.validation\.(?:loss|metrics)\b/, /./, "figures within their ranges, of metrics that may be new"],
  [/^progress\.validationStep$/, /^one$/, "any step may have been measured last"],
  [/^progress\.callbacks\.earlyStopping\.best\b/, /./, "a best figure within its range, at an earlier epoch, or none"],
  [
    /^progress\.callbacks\.reduceOnPlateau\.(?:best|cooling)$/,
    /./,
    "a best figure within its range, or none; options of callbacks may change",
  ],
  [/^progress\.callbacks\.\w+\.waited$/, /./, "any count up to the steps"],
];

function isAccepted({ place, change }: Pick<Mutation, "place" | "change">): boolean {
  return ACCEPTED.some(([where, what]) => where.test(place) && what.test(change));
}

/** What it says, or nothing if the file is taken. */
async function refusal(read: () => Promise<unknown>): Promise<CarillonError | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (error instanceof CarillonError) return error;
    throw error;
  }
}

async function resumed({ make, options }: Job, bytes: Uint8Array): Promise<void> {
  const model = make();
  await findBeginning(model, checkSettings(model, { ...options(), resume: bytes }), undefined);
}

interface Tally {
  tried: number;
  taken: number;
  /** What was taken without being accepted, or refused without a name. */
  readonly wrong: string[];
}

async function tryAll(kind: string, file: Uint8Array, read: (bytes: Uint8Array) => Promise<unknown>): Promise<Tally> {
  const tally: Tally = { tried: 0, taken: 0, wrong: [] };
  let index = 0;
  for (const mutation of mutationsOf(file)) {
    index += 1;
    if (index % EVERY !== 0) continue;
    tally.tried += 1;
    const what = `${kind} ${mutation.place}: ${mutation.change}`;
    const error = await refusal(() => read(mutation.bytes()));
    if (error === undefined) {
      tally.taken += 1;
      if (!isAccepted(mutation)) tally.wrong.push(`${what}: taken`);
    } else if (!isNamed(error, mutation)) tally.wrong.push(`${what}: ${error.message}`);
  }
  return tally;
}

/** Whether an error names, in a bounded message, the place in the file, or the setting that would have to be another. */
function isNamed({ code, where, message }: CarillonError, { place }: Mutation): boolean {
  if (message.length > 700) return false;
  if (code === "ERR_STATE") return where.startsWith("fit.resume.");
  const [root = ""] = place.split(/[.[/]/);
  return (
    code === "ERR_FILE" &&
    (message.includes(root) || /expected .+ for '|layer \d takes|a layer with sizes/.test(message))
  );
}

describe("a checkpoint", () => {
  test.each(Object.keys(JOBS))("%s", async (kind) => {
    const job = JOBS[kind];
    if (job === undefined) throw new Error(kind);
    const file = await job.checkpoint();
    await resumed(job, file);
    const { tried, taken, wrong } = await tryAll(kind, file, (bytes) => resumed(job, bytes));
    expect(wrong).toEqual([]);
    expect(taken).toBeLessThan(tried / 3);
    expect(tried).toBeGreaterThan(40);
  });
});

describe("a model's file", () => {
  let files: Readonly<Record<string, Uint8Array>> = {};
  beforeAll(async () => {
    const [classes, regression] = [wide(), small()];
    await fit(classes, classifier());
    await fit(regression, table());
    files = { classes: classes.bytes(), table: regression.bytes() };
  });

  test.each(["classes", "table"])("%s", async (kind) => {
    const { tried, taken, wrong } = await tryAll(`model of ${kind}`, files[kind] ?? new Uint8Array(), loadModel);
    expect(wrong).toEqual([]);
    expect(taken).toBeLessThan(tried / 3);
    expect(tried).toBeGreaterThan(10);
  });
});

describe("a loop's checkpoint", () => {
  const loop = () => {
    const model = sequential(linear(2, 1)).initialize(1);
    const trainer = minimizer(model, adam());
    const step = program({
      inputs: { x: spec([8, 2]), y: spec([8, 1]) },
      body({ x, y }) {
        const loss = ops.mean(mse()(model.forward(x), y));
        trainer.minimize(loss);
        return { loss };
      },
    });
    return { models: model, minimizers: trainer, programs: step };
  };

  test("loop", async () => {
    const folder = await mkdtemp(join(tmpdir(), "carillon-"));
    const path = join(folder, "loop.safetensors");
    try {
      const saved = loop();
      for (let i = 0; i < 3; i++) await saved.programs.run({ x: new Float32Array(16).fill(1), y: new Float32Array(8) });
      await saveCheckpoint(path, { ...saved, state: { place: 3, seen: new Set([1]), sums: Float64Array.of(1, 2) } });
      const other = loop();
      const { tried, taken, wrong } = await tryAll("loop", await readFile(path), async (bytes) => {
        await writeFile(path, bytes);
        await loadCheckpoint(path, other);
      });
      expect(wrong).toEqual([]);
      expect(taken).toBeLessThan(tried / 2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
