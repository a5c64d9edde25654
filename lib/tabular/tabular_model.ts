// A model that takes raw rows: a network with the preparation of what it is given.
import type { Json } from "../described.js";
import { CarillonError, fail, introduce, tagOf } from "../errors.js";
import { Part } from "../io/part.js";
import type { LoadOptions } from "../nn/files/saved.js";
import { loadModel } from "../nn/model/load.js";
import type { AnyModel } from "../nn/model/model.js";
import { checkKeys } from "../options.js";
import type { TableSource } from "../table/api.js";
import type { ColumnKind } from "../table/column.js";
import type { TableOptions } from "../table/options.js";
import type { Encoded } from "../table/preparation/encode.js";
import { type Preparation, type RawRows, readPreparation } from "../table/preparation/preparation.js";
import { readTable } from "../table/read.js";
import type { Schema, Task } from "../table/schema/schema.js";
import { Table } from "../table/table.js";
import { isFloats } from "../tensor/arrays.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../tensor/inspect.js";
import { extent } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import type { EncodedRows } from "./encoded.js";
import { examplesInTurns } from "./examples.js";
import { largestAt, type Measures, measure, type TargetValues } from "./measures.js";
import { NETWORK_KINDS, type NetworkKind } from "./networks.js";
import { PRESETS, type Preset } from "./options.js";

/** Answers to raw rows, in their order. */
export interface TabularAnswers {
  readonly rows: number;
  /** Of one target of classes: the name of the class of each row. */
  readonly labels: readonly string[] | undefined;
  /** Of several targets of two values each: the columns that each row is probably yes in. */
  readonly columns: readonly (readonly string[])[] | undefined;
  /** [rows, classes], in the order of `classes`; of several targets [rows, columns], of yes. */
  readonly probabilities: Tensor<"f32"> | undefined;
  /** [rows, columns] in the units of the targets. */
  readonly values: Tensor<"f32"> | undefined;
  /** Rows with a category that no training row had, by column. */
  readonly unseen: Readonly<Record<string, number>>;
}

/** An epoch of a member. */
export interface TabularHistoryEpoch {
  readonly epoch: number;
  /** Of the training rows, with dropout. */
  readonly loss: number;
  /** Of the rows that were held out, and the figure that the best epoch is chosen by. */
  readonly validationLoss: number;
  readonly value: number;
}

/** How a member was trained. */
export interface TabularMember {
  readonly kind: NetworkKind;
  /** The part of the rows that it has not seen, from 1. */
  readonly fold: number;
  /** In the bag; all are 1 together. */
  readonly weight: number;
  /** The epoch whose weights it has, and its figure; of one that was trained {@link again} the epochs of that, and the figure before. */
  readonly best: { readonly epoch: number; readonly value: number };
  /** Whether it was trained once more, on all rows, for its best number of epochs; its history and its answers to rows that were held out are those of the training before. */
  readonly again?: true | undefined;
  readonly history: readonly TabularHistoryEpoch[];
}

/** Answers to rows by the members that had not seen them. */
export interface OutOfFold {
  /** Numbers of the rows in the table of the training. */
  readonly rows: Uint32Array;
  /** [rows, width]: probabilities or values. */
  readonly answers: Tensor<"f32">;
  /** What is true: classes by their numbers, or [rows, width] one after another. */
  readonly targets: TargetValues;
}

/** What a model's file has of its training, besides the network and the preparation. */
export interface TabularFacts {
  readonly preset: Preset;
  /** Figure of the best epochs. */
  readonly metric: "accuracy" | "rmse" | "loss";
  readonly members: readonly TabularMember[];
  /** Of the rows that were held out. */
  readonly score: Measures;
  /** Kinds of the columns of the table that it was trained on. */
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  readonly seed: number;
}

/** Of the layout of the JSON. */
const VERSION = 1;

/** Rows that are answered at once on the calling thread, and most of them that a predictor takes. */
const AT_ONCE = 256;

/** Made by {@link Tabular.fit}, and of its file by {@link loadTabular}. */
export class TabularModel {
  /** The network, an ordinary model: it takes what `preparation.encode` gives as `x`. */
  readonly model: AnyModel;
  readonly preparation: Preparation;
  readonly task: Task;
  /** Numbers of each row that was held out in training, where this process has trained it. */
  readonly outOfFold: OutOfFold | undefined;
  readonly #facts: TabularFacts;
  readonly #width: number;
  #predictor: ReturnType<AnyModel["predictor"]> | undefined;

  /** @internal */
  constructor(model: AnyModel, preparation: Preparation, facts: TabularFacts, outOfFold?: OutOfFold | undefined) {
    const { target } = preparation;
    if (target === undefined) fail("ERR_STATE", "tabular", "a preparation with a target", target);
    this.model = model;
    this.preparation = preparation;
    this.task = target.task;
    this.outOfFold = outOfFold;
    this.#facts = facts;
    this.#width = model.rows.outputs[0]?.shape[0] ?? 1;
  }

  get preset(): Preset {
    return this.#facts.preset;
  }

  get schema(): Schema {
    return this.preparation.schema;
  }

  /** The columns that are predicted. */
  get target(): readonly string[] {
    return this.preparation.target?.columns ?? [];
  }

  /** Columns that a row must have. */
  get columns(): readonly string[] {
    return this.preparation.columns;
  }

  /** Names of the classes, in the order of the probabilities. */
  get classes(): readonly string[] | undefined {
    return this.preparation.classes;
  }

  /** How each member was trained. */
  get members(): readonly TabularMember[] {
    return this.#facts.members;
  }

  /** Epochs of each member. */
  get history(): readonly (readonly TabularHistoryEpoch[])[] {
    return this.#facts.members.map(({ history }) => history);
  }

  /** The figure that the best epochs were chosen by. */
  get metric(): "accuracy" | "rmse" | "loss" {
    return this.#facts.metric;
  }

  /** Measures of the rows that were held out in training, by the members that had not seen them. */
  get score(): Measures {
    return this.#facts.score;
  }

  get seed(): number {
    return this.#facts.seed;
  }

  /** Kinds that the columns it needs had in its training table: tables that it is evaluated on are read alike. @internal */
  get kinds(): Readonly<Record<string, ColumnKind>> {
    const needed = [...this.columns, ...this.target];
    return Object.fromEntries(Object.entries(this.#facts.kinds).filter(([name]) => needed.includes(name)));
  }

  /**
   * Answers to raw rows: one object, several, lists of values, columns by name or a table. A column that is not there, and what is no value of its column, is `ERR_DATA`;
   * `null` is missing. Few rows are answered on this thread, many by native ones, and encoded in turns: leave them as they are until they are answered.
   */
  async predict(rows: RawRows): Promise<TabularAnswers> {
    const encoded = await this.preparation.encodeInTurns(rows);
    const count = rowsOf(encoded);
    if (count <= AT_ONCE) return this.#answersOf(encoded, this.#run(encoded, count));
    return this.#answersOf(encoded, await answersOf(this.model, encoded.x, this.task));
  }

  /** The same on the calling thread, for one row or a few. */
  predictSync(rows: RawRows): TabularAnswers {
    const encoded = this.preparation.encode(rows);
    const count = rowsOf(encoded);
    if (count <= AT_ONCE) return this.#answersOf(encoded, this.#run(encoded, count));
    throw new CarillonError(
      "ERR_SHAPE",
      "predictSync",
      `expected at most ${AT_ONCE} rows for 'predictSync' but received ${count}: use predict()`,
    );
  }

  /**
   * How good its answers to the rows of a source are, which have a target: of classes `accuracy`, `logLoss` and, of two, `auc` by exact ranks; of values `rmse`, `mae`
   * and `r2`. `options` say how the source is read, as for {@link table}.
   */
  async evaluate(source: TableSource, options: TableOptions = {}): Promise<Measures> {
    const table = await readAlike(source, options, this.kinds);
    if (table.rows === 0) fail("ERR_DATA", "evaluate.source", "a row or more", 0);
    const { x, targets } = await examplesInTurns(this.preparation, table);
    const answers = await answersOf(this.model, x, this.task);
    return await measure(this.task, { width: this.#width, data: answers }, "shape" in targets ? targets.data : targets);
  }

  /** Writes an ordinary model file, with the preparation and what is known of the training, for {@link loadTabular} and `loadModel`. */
  async save(path: string): Promise<void> {
    await this.model.save(path);
  }

  /** The same as bytes. */
  bytes(): Uint8Array {
    return this.model.bytes();
  }

  #run({ x }: Encoded, rows: number): Float32Array {
    if (rows === 0) return new Float32Array(0);
    const { task } = this;
    this.#predictor ??= this.model.predictor({
      as: task === "binary" || task === "classes" ? "softmax" : task === "labels" ? "sigmoid" : "outputs",
      maxBatch: AT_ONCE,
    });
    const { data } = tensorOf(this.#predictor.run(x));
    return data;
  }

  #answersOf({ unseen }: Encoded, data: Float32Array): TabularAnswers {
    const [{ task, classes, target }, width] = [this, this.#width];
    const rows = data.length / width;
    const tensor = new Tensor(data, [rows, width], "f32");
    const none = { rows, labels: undefined, columns: undefined, probabilities: undefined, values: undefined, unseen };
    switch (task) {
      case "binary":
      case "classes": {
        const labels = new Array<string>(rows);
        for (let row = 0; row < rows; row++) labels[row] = classes?.[largestAt(data, row * width, width)] ?? "";
        return { ...none, labels, probabilities: tensor };
      }
      case "labels": {
        const columns = Array.from({ length: rows }, (_, row) =>
          target.filter((_name, at) => (data[row * width + at] ?? 0) > 0.5),
        );
        return { ...none, columns, probabilities: tensor };
      }
      default:
        return { ...none, values: tensor };
    }
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const { preset, task, target, classes, members, score } = this;
    const fields = { preset, task, target: target.join(", "), classes, members: members.length, score };
    return inspectDescription({ title: "TabularModel", fields }, depth, options, inspect);
  }
}
introduce(TabularModel.prototype, "a tabular model");

function rowsOf({ x }: Encoded): number {
  const [first] = Object.values(x);
  return first?.shape[0] ?? 0;
}

function tensorOf(given: unknown): Tensor<"f32"> {
  if (given instanceof Tensor && isFloats(given.data)) return given as Tensor<"f32">;
  return fail("ERR_STATE", "tabular", "a model with one output", given);
}

/** Probabilities of rows, or values in the units of the model's targets, [rows, width]. */
export async function answersOf(model: AnyModel, x: Encoded["x"], task: Task): Promise<Float32Array> {
  if (task === "value" || task === "values") return tensorOf(await model.predict(x)).data;
  const as = task === "labels" ? "sigmoid" : "softmax";
  return tensorOf(await model.predictProbabilities(x, { as })).data;
}

/** Rows that are answered at once. */
const CHUNK = 4096;

/** The same of encoded rows, some thousand at a time. */
export async function answersToRows(
  model: AnyModel,
  encoded: EncodedRows,
  rows: Uint32Array,
  task: Task,
): Promise<Float32Array> {
  const width = extent(model.rows.outputs[0]?.shape ?? [1]);
  const names = model.rows.inputs.map(({ name }) => name);
  const answers = new Float32Array(rows.length * width);
  for (let begin = 0; begin < rows.length; begin += CHUNK) {
    const part = await answersOf(model, await encoded.pick(rows.subarray(begin, begin + CHUNK), names), task);
    answers.set(part, begin * width);
  }
  return answers;
}

/** A table of a source, whose columns have the kinds of another one's. */
export async function readAlike(
  source: TableSource,
  options: TableOptions,
  kinds: Readonly<Record<string, ColumnKind>>,
): Promise<Table> {
  if (source instanceof Table) return source;
  const isWritten = typeof source === "string" || tagOf(source) === "URL" || ArrayBuffer.isView(source);
  const known = Object.fromEntries(Object.entries(kinds).filter(([, kind]) => kind === "number" || kind === "text"));
  return await readTable(source, isWritten ? { ...options, kinds: { ...known, ...options.kinds } } : options);
}

/** Keeps the preparation and the facts with the network, for its files. */
export function keepFacts(model: AnyModel, preparation: Preparation, facts: TabularFacts): void {
  const short = (value: number): number => Number(value.toPrecision(7));
  const members = facts.members.map(({ history, ...rest }) => ({
    ...rest,
    history: history.map(({ epoch, loss, validationLoss, value }) => [
      epoch,
      short(loss),
      short(validationLoss),
      short(value),
    ]),
  }));
  const tabular = JSON.parse(JSON.stringify({ version: VERSION, ...facts, members })) as Json;
  model.keepPreparation({ toJSON: () => ({ ...Object(preparation.toJSON()), tabular }) });
}

/** The facts of a file; `ERR_FILE` names what they cannot be. */
function factsIn(part: Part): TabularFacts {
  part.at("version").equal(VERSION);
  return {
    preset: part.at("preset").oneOf(PRESETS),
    metric: part.at("metric").oneOf(["accuracy", "rmse", "loss"]),
    members: part.at("members").list().map(memberIn),
    score: Object.fromEntries(
      [...part.at("score").members()].map(([name, one]) => [name, one.value === null ? Number.NaN : one.figure()]),
    ),
    kinds: Object.fromEntries(
      [...part.at("kinds").members()].map(([name, one]) => [name, one.oneOf(["number", "text", "boolean", "date"])]),
    ),
    seed: part.at("seed").count(),
  };
}

function memberIn(part: Part): TabularMember {
  return {
    kind: part.at("kind").oneOf(NETWORK_KINDS),
    fold: part.at("fold").count(1),
    weight: part.at("weight").number({ min: 0, max: 1 }),
    best: { epoch: part.at("best").at("epoch").count(), value: part.at("best").at("value").figure() },
    ...(part.at("again").value === true ? { again: true } : {}),
    history: part
      .at("history")
      .list()
      .map((one) => {
        const [epoch = 0, loss = 0, validationLoss = 0, value = 0] = one
          .list(4)
          .map((each) => (each.value === null ? Number.NaN : each.figure()));
        return { epoch, loss, validationLoss, value };
      }),
  };
}

/** {@link loadTabular} */
export async function readTabular(source: string | Uint8Array, options: LoadOptions): Promise<TabularModel> {
  checkKeys("loadTabular", options, ["weights", "limits"]);
  const model: AnyModel = await loadModel(source, options);
  const file = typeof source === "string" ? source : "loadTabular";
  const { preparation } = model;
  const facts = new Part(file, "preparation", preparation ?? null);
  if (preparation === undefined || facts.at("tabular").value === undefined)
    throw new CarillonError(
      "ERR_FILE",
      file,
      `expected a tabular model in '${file}' but received a model alone: use loadModel()`,
    );
  return new TabularModel(model, readPreparation(preparation, file), factsIn(facts.at("tabular")));
}
