// Any interleaving of uses of two models gives what a serial order of them gives, or a CarillonError.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  type Callback,
  CarillonError,
  type ErrorCode,
  type FitResult,
  fit,
  linear,
  type Model,
  minimizer,
  mse,
  ops,
  program,
  type Run,
  sequential,
  sgd,
  spec,
  standardize,
  type Tensor,
  type Transforms,
  tanh,
  tensor,
} from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_OUTPUT_MEANING } from "../../lib/nn/meaning/meaning.js";
import { findOrder, type ModelState, type Step, type Use, type World } from "./serial_order.js";
import { numbers } from "./synthetic.js";

/** Runs in all, each with a seed of its own, or all with one: what native threads make of it differs from time to time. */
const RUNS = Number(process.env.CARILLON_USES ?? 2000);
const SEED = process.env.CARILLON_USES_SEED;
const PARTS = 8;

const ROWS = 8;
const make = (): Model => sequential(linear(2, 3), tanh(), linear(3, 1));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface State extends ModelState {
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly transforms: Transforms;
}

const states = new Map<string, State>();

function stateOf(model: Model): State {
  const weights = new Map([...model.weights()].map(([name, { data }]) => [name, data]));
  const { transforms } = model;
  const bits = [...weights.values()].map((data) => new Uint32Array(data.buffer.slice(0)).join(","));
  const key = `${bits.join(";")} ${JSON.stringify(transforms)}`;
  const known = states.get(key) ?? { key, weights, transforms };
  states.set(key, known);
  return known;
}

function put(model: Model, { weights, transforms }: State): Model {
  const { inputs, targets: units } = transforms;
  model.setWeights(weights).changeMeaning({ inputs: [inputs], outputs: [{ ...NO_OUTPUT_MEANING, units }] });
  return model;
}

/** What the bytes of buffers say: inputs and targets. */
const CONTENTS = [1, 2, 3].map((seed) => {
  const next = numbers(seed);
  const x = Float32Array.from({ length: ROWS * 2 }, () => 4 * next() - 2 + seed);
  return { x, y: Float32Array.from({ length: ROWS }, (_, row) => Math.fround((x[2 * row] ?? 0) * next())) };
});

const content = (index: number) => CONTENTS[index] ?? { x: new Float32Array(), y: new Float32Array() };

/** Weights and seeds that are written by hand. */
const WRITTEN = [4, 5, 6].map((seed) => make().initialize(seed).weights());

/** Runs, by what they do; a callback gives the event loop a turn between two native calls. */
const FITS = [
  { optimizer: adam({ lr: 0.1 }), steps: 3 },
  { optimizer: adam({ lr: 0.1 }), steps: 5, slow: true },
  { optimizer: sgd({ lr: 0.05 }), steps: 2, inputs: standardize(), targets: standardize() },
  { optimizer: sgd({ lr: 0.05 }), steps: 2, inputs: null, targets: null, slow: true },
  { optimizer: adam({ lr: 0.02 }), steps: 12 },
] as const;

function fitted(
  model: Model,
  index: number,
  x: unknown,
  y: unknown,
  more: { signal?: AbortSignal; each?: () => void } = {},
) {
  const { slow = false, ...options } = { slow: false, ...FITS[index] };
  const { signal, each } = more;
  const callback: Callback = {
    name: "turn",
    every: { steps: 1 },
    async decide() {
      each?.();
      if (slow && each === undefined) await turn();
    },
  };
  const callbacks = slow || each !== undefined ? [callback] : [];
  const data = { x: x as Float32Array, y: y as Float32Array };
  return fit(model, {
    optimizer: sgd({ lr: 0 }),
    steps: 1,
    ...options,
    data,
    loss: mse(),
    batchSize: 4,
    seed: 9,
    callbacks,
    signal,
  });
}

/** w ← w − 0.1·∂/∂w of the mean square of the distance to the other model, and both outputs before. */
function follower(model: Model, other: Model) {
  const trainer = minimizer(model, sgd({ lr: 0.1 }));
  return program({
    inputs: { x: spec(["batch", 2]) },
    maxBatch: ROWS,
    body({ x }) {
      const [own, target] = [model.forward(x), other.forward(x)];
      const loss = ops.mean(ops.square(ops.subtract(own, target)));
      const before = ops.add(own, 0);
      trainer.minimize(loss);
      return { before, target };
    },
  });
}

function reader(a: Model, b: Model) {
  return program({
    inputs: { x: spec(["batch", 2]) },
    maxBatch: ROWS,
    body: ({ x }) => ({ a: a.forward(x), b: b.forward(x) }),
  });
}

const told = (...tensors: readonly Tensor[]): string => tensors.map(({ data }) => [...data].join(" ")).join(" | ");

/** What each use gives one after another: computed once for a state, by models that nobody else uses. */
class Serial {
  readonly #known = new Map<string, unknown>();
  readonly #models = [make().initialize(0), make().initialize(0)] as const;
  readonly #read = reader(...this.#models);
  readonly #follow = follower(...this.#models);

  predicted(state: State, x: number): string {
    return this.#once(`p ${x} ${state.key}`, () => told(put(this.#models[0], state).predictSync(content(x).x)));
  }

  read([a, b]: readonly [State, State], x: number): string {
    return this.#once(`r ${x} ${a.key} ${b.key}`, () => {
      put(this.#models[0], a);
      put(this.#models[1], b);
      const given = this.#read.runSync({ x: content(x).x });
      return told(given.a, given.b);
    });
  }

  followed(own: State, other: State, x: number): { readonly answer: string; readonly next: State } {
    return this.#once(`f ${x} ${own.key} ${other.key}`, () => {
      put(this.#models[0], own);
      put(this.#models[1], other);
      const { before, target } = this.#follow.runSync({ x: content(x).x });
      return { answer: told(before, target), next: stateOf(this.#models[0]) };
    });
  }

  written(state: State, index: number, seed: boolean): State {
    return this.#once(`w ${index} ${seed} ${state.key}`, () => {
      const model = put(this.#models[0], state);
      return stateOf(seed ? model.initialize(index) : model.setWeights(WRITTEN[index] ?? new Map()));
    });
  }

  evaluated(state: State, index: number): Promise<string> | string {
    return this.#later(`e ${index} ${state.key}`, async () => {
      const { x, y } = content(index);
      const { loss, metrics } = await put(make(), state).evaluate({ x, y }, { loss: mse(), metrics: ["rmse"] });
      return `${loss} ${metrics.rmse}`;
    });
  }

  /** The states of a run before its first step, with its units, and after each step. */
  trained(state: State, run: number, index: number): Promise<readonly State[]> | readonly State[] {
    return this.#later(`t ${run} ${index} ${state.key}`, async () => {
      const model = put(make(), state);
      const { x, y } = content(index);
      const passed: State[] = [];
      await fitted(model, run, x, y, { each: () => passed.push(stateOf(model)) });
      return [stateOf(put(make(), { ...state, transforms: model.transforms })), ...passed];
    });
  }

  #once<T>(key: string, give: () => T): T {
    if (!this.#known.has(key)) this.#known.set(key, give());
    return this.#known.get(key) as T;
  }

  #later<T>(key: string, give: () => Promise<T>): Promise<T> | T {
    if (this.#known.has(key)) return this.#known.get(key) as T;
    return give().then((value) => {
      this.#known.set(key, value);
      return value;
    });
  }
}

const serial = new Serial();

/** Memory of the caller, under one of its forms. */
interface Memory {
  readonly x: Float32Array | number[][] | Tensor<"f32">;
  readonly y: Float32Array;
  content: number;
  gone: boolean;
}

function memory(form: number, index: number): Memory {
  const { x, y } = content(index);
  const copy = x.slice();
  const rows = Array.from({ length: ROWS }, (_, row) => [...copy.subarray(2 * row, 2 * row + 2)]);
  return {
    x: [copy, tensor(copy, [ROWS, 2]), rows][form] ?? copy,
    y: y.slice(),
    content: index,
    gone: false,
  };
}

function overwrite(target: Memory, index: number): void {
  const { x, y } = content(index);
  if (target.gone) return;
  if (Array.isArray(target.x))
    for (const [row, values] of target.x.entries()) values.splice(0, 2, ...x.subarray(2 * row, 2 * row + 2));
  else if (target.x instanceof Float32Array) target.x.set(x);
  else target.x.data.set(x);
  target.y.set(y);
  target.content = index;
}

function transfer(target: Memory): void {
  if (target.gone || Array.isArray(target.x)) return;
  const { buffer } = target.x instanceof Float32Array ? target.x : target.x.data;
  const buffers = [buffer, target.y.buffer] as ArrayBuffer[];
  for (const one of buffers) structuredClone(one, { transfer: [one] });
  target.gone = true;
}

interface Pending {
  readonly name: string;
  readonly kind: Kind;
  /** Models that it changes, or looks at. */
  readonly changes: readonly number[];
  readonly reads: readonly number[];
  readonly over: Promise<void>;
  readonly stop?: (() => void) | undefined;
  readonly abort?: (() => void) | undefined;
}

const KINDS = [
  "fit",
  "fit",
  "predict",
  "predict",
  "predictSync",
  "evaluate",
  "read",
  "readSync",
  "follow",
  "follow",
  "followSync",
  "save",
  "load",
  "load",
  "setWeights",
  "initialize",
  "look",
  "stop",
  "stop",
  "abort",
  "overwrite",
  "overwrite",
  "transfer",
  "turn",
  "turn",
  "wait",
] as const;
type Kind = (typeof KINDS)[number];

/** How often what came of each kind of use. */
const counts = new Map<string, number>();
const count = (what: string): void => {
  counts.set(what, (counts.get(what) ?? 0) + 1);
};

/** What the first file of a session holds at its beginning; the second one is not there. */
const SAVED = make().initialize(7);

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-uses-"));
  await SAVED.save(join(root, "saved"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** One run of the test: uses that a seed draws, and what came of them. */
class Session {
  readonly #next: () => number;
  readonly #models = [make().initialize(1), make().initialize(2)] as const;
  readonly #readers = [reader(...this.#models), reader(...this.#models)] as const;
  readonly #followers = [
    follower(this.#models[0], this.#models[1]),
    follower(this.#models[1], this.#models[0]),
    follower(this.#models[0], this.#models[1]),
  ] as const;
  readonly #files: readonly string[];
  readonly #memories = [memory(0, 0), memory(1, 1), memory(2, 2)];
  readonly #start: World<State>;
  readonly #uses: Use<State>[] = [];
  readonly #pending = new Set<Pending>();
  readonly script: string[] = [];
  #clock = 0;

  constructor(seed: number) {
    this.#next = numbers(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
    for (let skip = 0; skip < 4; skip++) this.#next();
    this.#files = [0, 1].map((file) => join(root, `${seed}-${file}.safetensors`));
    this.#start = { models: [stateOf(this.#models[0]), stateOf(this.#models[1])], files: [stateOf(SAVED), undefined] };
  }

  async run(): Promise<void> {
    await copyFile(join(root, "saved"), this.#files[0] ?? "");
    const actions = 4 + this.#below(12);
    for (let action = 0; action < actions; action++) await this.#act(KINDS[this.#below(KINDS.length)] ?? "turn");
    await Promise.all([...this.#pending].map(({ over }) => over));
    for (const model of [0, 1] as const) this.#look(model);
    for (const file of [0, 1]) await this.#lookIntoFile(file);
    const { found, furthest } = await findOrder(this.#start, this.#uses);
    if (!found)
      throw new Error(`no serial order gives these answers:\n${this.script.join("\n")}\n\n${furthest.join("\n")}`);
  }

  #below(bound: number): number {
    return Math.floor(this.#next() * bound);
  }

  #tick(): number {
    this.#clock += 1;
    return this.#clock;
  }

  async #act(kind: Kind): Promise<void> {
    const model = this.#below(2) as 0 | 1;
    const which = this.#below(3);
    const buffer = this.#memories[this.#below(3)] ?? memory(0, 0);
    const { content: index, x, y } = buffer;
    const own = this.#models[model];
    switch (kind) {
      case "fit":
        return this.#fit(model, this.#below(FITS.length), buffer);
      case "predict": {
        const abort = new AbortController();
        const call = () => own.predict(x, { signal: abort.signal });
        return this.#answer(
          { kind, name: `predict ${model} x${index}`, reads: [model], buffer, abort },
          call,
          (result) => {
            const answer = told(result);
            return reading((world) => serial.predicted(world.models[model], index) === answer);
          },
        );
      }
      case "predictSync":
        return this.#answerNow({ kind, name: `predictSync ${model} x${index}`, reads: [model], buffer }, () => {
          const answer = told(own.predictSync(x));
          return reading((world) => serial.predicted(world.models[model], index) === answer);
        });
      case "evaluate": {
        const abort = new AbortController();
        const call = () => own.evaluate({ x, y }, { loss: mse(), metrics: ["rmse"], signal: abort.signal });
        return this.#answer(
          { kind, name: `evaluate ${model} x${index}`, reads: [model], buffer, abort },
          call,
          (result) => {
            const answer = `${result.loss} ${result.metrics.rmse}`;
            return reading(async (world) => (await serial.evaluated(world.models[model], index)) === answer);
          },
        );
      }
      case "read":
      case "readSync": {
        const step = this.#readers[model];
        const judge = (result: { a: Tensor; b: Tensor }) => {
          const answer = told(result.a, result.b);
          return reading((world) => serial.read(world.models, index) === answer);
        };
        const about = { kind, name: `${kind} by ${model} x${index}`, reads: [0, 1], buffer };
        if (kind === "read") return this.#answer(about, () => step.run({ x }), judge);
        return this.#answerNow(about, () => judge(step.runSync({ x })));
      }
      default:
        return await this.#actMore(kind, model, which, buffer);
    }
  }

  async #actMore(kind: Kind, model: 0 | 1, which: number, buffer: Memory): Promise<void> {
    const own = this.#models[model];
    switch (kind) {
      case "follow":
      case "followSync":
        return this.#follow(kind, which, buffer);
      case "save":
        return this.#save(model, this.#below(2));
      case "load":
        return this.#load(model, this.#below(2));
      case "setWeights":
      case "initialize": {
        const seed = kind === "initialize";
        return this.#answerNow({ kind, name: `${kind} ${model} ${which}`, changes: [model] }, () => {
          if (seed) own.initialize(which);
          else own.setWeights(WRITTEN[which] ?? new Map());
          return writing(model, (world) => serial.written(world.models[model], which, seed));
        });
      }
      case "look":
        return this.#look(model);
      case "stop":
      case "abort": {
        const [chosen] = [...this.#pending].filter((each) => each[kind] !== undefined).slice(this.#below(3));
        this.script.push(`${kind} ${chosen?.name}`);
        return chosen?.[kind]?.();
      }
      case "overwrite":
        this.script.push(`overwrite x${buffer.content} with x${which}`);
        return overwrite(buffer, which);
      case "transfer": {
        const place = this.#memories.indexOf(buffer);
        this.script.push(`transfer x${buffer.content}`);
        transfer(buffer);
        // Sometimes it is missed, sometimes it is there anew.
        if (buffer.gone && this.#below(2) === 0) this.#memories[place] = memory(place, which);
        return;
      }
      case "wait": {
        const [chosen] = [...this.#pending].slice(this.#below(3));
        this.script.push(`wait for ${chosen?.name}`);
        return await chosen?.over;
      }
      default:
        this.script.push("turn");
        return await (which === 0 ? Promise.resolve() : turn());
    }
  }

  #fit(model: 0 | 1, run: number, buffer: Memory): void {
    const { content: index, x, y } = buffer;
    const abort = new AbortController();
    const steps = FITS[run]?.steps ?? 0;
    let running: Run<FitResult> | undefined;
    const call = (): Promise<FitResult> => {
      running = fitted(this.#models[model], run, x, y, { signal: abort.signal }) as Run<FitResult>;
      return running;
    };
    const phase = async (at: number, world: World<State>, kept: State | undefined): Promise<Step<State>> => {
      const began = kept ?? world.models[model];
      const next = (await serial.trained(began, run, index))[at];
      return next && { world: withModel(world, model, next), kept: began };
    };
    const common = { changes: [model], reads: [], owns: model, phase } as const;
    const range = (from: number, to: number) => new Set(Array.from({ length: to - from + 1 }, (_, at) => from + at));
    this.#answer(
      {
        kind: "fit",
        name: `fit ${model} ${run} x${index}`,
        changes: [model],
        buffer,
        abort,
        stop: () => running?.stop(),
        aborted: { ...common, lengths: range(0, steps + 1) },
      },
      call,
      ({ reason, step }) => {
        count(`fit ${reason}`);
        // Before its first step it may or may not have taken its units.
        return { ...common, lengths: step === 0 ? range(0, 1) : range(step + 1, step + 1) };
      },
    );
  }

  #follow(kind: "follow" | "followSync", which: number, buffer: Memory): void {
    const { content: index, x } = buffer;
    const model = which === 1 ? 1 : 0;
    const other = (1 - model) as 0 | 1;
    const step = this.#followers[which] ?? this.#followers[0];
    const judge = ({ before, target }: { before: Tensor; target: Tensor }): Judged => {
      const answer = told(before, target);
      return writing(model, (world) => {
        const serially = serial.followed(world.models[model], world.models[other], index);
        return serially.answer === answer ? serially.next : undefined;
      });
    };
    const about = { kind, name: `${kind} ${model} by ${which} x${index}`, changes: [model], reads: [other], buffer };
    if (kind === "follow") this.#answer(about, () => step.run({ x }), judge);
    else this.#answerNow(about, () => judge(step.runSync({ x })));
  }

  #save(model: 0 | 1, file: number): void {
    const phase = (at: number, world: World<State>, kept: State | undefined): Step<State> =>
      at === 0 ? { world, kept: world.models[model] } : { world: { ...world, files: world.files.with(file, kept) } };
    const call = () => this.#models[model].save(this.#files[file] ?? "");
    const judged: Judged = { changes: [], reads: [model], file, writes: true, lengths: new Set([2]), phase };
    this.#answer({ kind: "save", name: `save ${model} to ${file}`, reads: [model] }, call, () => judged);
  }

  #load(model: 0 | 1, file: number): void {
    const phase = (at: number, world: World<State>, kept: State | undefined): Step<State> => {
      const found = kept ?? world.files[file];
      return found && { world: at === 0 ? world : withModel(world, model, found), kept: found };
    };
    const call = () => this.#models[model].load(this.#files[file] ?? "");
    const judged: Judged = { changes: [model], reads: [], owns: model, file, lengths: new Set([2]), phase };
    this.#answer({ kind: "load", name: `load ${model} from ${file}`, changes: [model] }, call, () => judged);
  }

  #look(model: 0 | 1): void {
    this.#answerNow({ kind: "look", name: `look ${model}`, reads: [model] }, () => {
      const { key } = stateOf(this.#models[model]);
      return reading((world) => world.models[model].key === key);
    });
  }

  async #lookIntoFile(file: number): Promise<void> {
    const model = await make()
      .load(this.#files[file] ?? "")
      .catch(() => undefined);
    const key = model && stateOf(model).key;
    this.#answerNow({ kind: "look", name: `file ${file}` }, () => {
      return { ...reading((world) => world.files[file]?.key === key), file };
    });
  }

  /** Takes in what a call gives, when it does. */
  #answer<R>(about: About, call: () => Promise<R>, judge: (result: R) => Judged): void {
    const begin = this.#tick();
    const { name, kind, changes = [], reads = [], buffer, abort } = about;
    this.script.push(`${begin} ${name}`);
    const gone = buffer?.gone ?? false;
    const others = [...this.#pending];
    const take = (judged: Judged): void => {
      this.#uses.push({ name, begin, end: this.#tick(), ...judged, reads: about.reads ?? judged.reads });
    };
    const over = call()
      .then(
        (result) => {
          expect(gone, `${name} of memory that was transferred`).toBe(false);
          count(kind);
          take(judge(result));
        },
        (error: unknown) => {
          this.script.push(`${this.#clock} ${name} gave ${error instanceof CarillonError ? error.code : error}`);
          if (error === abort?.signal.reason && abort?.signal.aborted === true) {
            count(`${kind} aborted`);
            if (about.aborted !== undefined) take(about.aborted);
          } else this.#judgeError(about, error, gone, others);
        },
      )
      .finally(() => this.#pending.delete(pending));
    const pending: Pending = {
      name,
      kind,
      changes,
      reads,
      over,
      stop: about.stop,
      abort: abort && (() => abort.abort()),
    };
    this.#pending.add(pending);
  }

  #answerNow(about: About, call: () => Judged): void {
    const begin = this.#tick();
    const { name, kind, buffer, reads } = about;
    this.script.push(`${begin} ${name}`);
    const gone = buffer?.gone ?? false;
    try {
      const judged = call();
      expect(gone, `${name} of memory that was transferred`).toBe(false);
      count(kind);
      this.#uses.push({ name, begin, end: this.#tick(), ...judged, reads: reads ?? judged.reads });
    } catch (error) {
      this.#judgeError(about, error, gone, [...this.#pending]);
    }
  }

  /** An error of ours, for a reason; whoever only looks is never refused because a model is at work. */
  #judgeError(
    { kind, name, changes = [], reads = [] }: About,
    error: unknown,
    gone: boolean,
    others: readonly Pending[],
  ): void {
    if (!(error instanceof CarillonError)) throw error;
    const { code } = error;
    count(`${kind} ${code}`);
    this.script.push(`${this.#clock} ${name} gave ${code}`);
    const because = (reason: boolean): void => {
      if (!reason) throw new Error(`no reason for ${code} of ${name}: ${error.message}\n${this.script.join("\n")}`);
    };
    const byCode: Partial<Record<ErrorCode, () => boolean>> = {
      ERR_DETACHED: () => gone,
      ERR_FILE: () => kind === "load",
      ERR_BUSY: () => others.some((other) => isInTheWay({ kind, changes, reads }, other)),
    };
    because(byCode[code]?.() ?? false);
  }
}

/** Whether a use has to be refused because of another that is not over: it cannot wait for it, nor work beside it. */
function isInTheWay(
  use: Pick<Pending, "kind" | "changes" | "reads">,
  other: Pick<Pending, "kind" | "changes" | "reads">,
): boolean {
  const own = use.changes.some((model) => other.changes.includes(model));
  const looks = ["read", "follow"].includes(other.kind) && use.changes.some((model) => other.reads.includes(model));
  switch (use.kind) {
    case "fit":
      return own; // it waits for who only looks
    case "follow":
    case "load":
      return own && other.kind === "fit"; // they wait for everybody else
    case "setWeights":
    case "initialize":
      return own || looks;
    case "followSync":
    case "readSync": {
      const seen = other.kind !== "fit" && use.reads.some((model) => other.changes.includes(model));
      const program = other.kind === (use.kind === "readSync" ? "read" : "follow"); // perhaps the same one
      return own || looks || seen || program;
    }
    default:
      return false; // who only looks is never refused
  }
}

/** A use, as far as it is known before its answer. */
interface About {
  readonly kind: Kind;
  readonly name: string;
  readonly changes?: readonly number[];
  readonly reads?: readonly number[];
  readonly buffer?: Memory;
  readonly abort?: AbortController;
  readonly stop?: () => void;
  /** What it may have done if it was aborted. */
  readonly aborted?: Judged;
}

type Judged = Pick<Use<State>, "changes" | "reads" | "owns" | "file" | "writes" | "lengths" | "phase">;

const ONE: ReadonlySet<number> = new Set([1]);

function reading(fits: (world: World<State>) => boolean | Promise<boolean>): Judged {
  return {
    changes: [],
    reads: [0, 1],
    lengths: ONE,
    phase: async (_, world) => ((await fits(world)) ? { world } : undefined),
  };
}

function writing(model: 0 | 1, next: (world: World<State>) => State | undefined): Judged {
  const phase = (_: number, world: World<State>): Step<State> => {
    const state = next(world);
    return state && { world: withModel(world, model, state) };
  };
  return { changes: [model], reads: [0, 1], lengths: ONE, phase };
}

function withModel(world: World<State>, model: 0 | 1, state: State): World<State> {
  const [a, b] = world.models;
  return { ...world, models: model === 0 ? [state, b] : [a, state] };
}

describe("any interleaving of uses of two models", () => {
  test.each(Array.from({ length: PARTS }, (_, part) => part))(
    `gives what a serial order gives, or a CarillonError (part %i of ${PARTS})`,
    async (part) => {
      for (let run = part; run < RUNS; run += PARTS) {
        const seed = Number(SEED ?? run);
        try {
          await new Session(seed).run();
        } catch (cause) {
          throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause });
        }
      }
    },
  );

  test.runIf(SEED === undefined && RUNS >= 1000)("all of them came, done and refused", () => {
    const seen = (what: string): number => counts.get(what) ?? 0;
    for (const kind of new Set(KINDS)) {
      if (["stop", "abort", "overwrite", "transfer", "turn", "wait"].includes(kind)) continue;
      expect(seen(kind), kind).toBeGreaterThan(RUNS / 20);
    }
    const refusals = ["fit", "follow", "followSync", "setWeights", "initialize", "load"].map(
      (kind) => `${kind} ERR_BUSY`,
    );
    const rest = ["fit stopped", "fit finished", "fit aborted", "predict ERR_DETACHED", "load ERR_FILE"];
    for (const what of [...refusals, ...rest]) expect(seen(what), what).toBeGreaterThan(RUNS / 200);
  });
});
