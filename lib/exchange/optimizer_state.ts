// States of optimizers of others, for programs that go on with a training.
import { CarillonError, describe, shortened } from "../errors.js";
import type { AnyModel, Minimizer } from "../index.js";
import { broken } from "../io/refusal.js";
import { areTexts, checkKeys, checkNumber } from "../options.js";
import { extent, formatShape } from "../tensor/shape.js";
import type { Crossing } from "./crossing.js";
import { openKerasWeights } from "./keras/import.js";
import { takeKerasStates } from "./keras/optimizer_state.js";
import { pytorchEntries, type StateDictOptions } from "./pytorch_walk.js";
import { kindOf, openTensors } from "./reading/any.js";
import { floatsOf } from "./reading/elements.js";
import { type FileSource, open } from "./reading/file.js";
import { checkExchangeLimits, type ExchangeLimits, type TensorFile } from "./reading/tensor_file.js";
import { fits } from "./staged_weights.js";

/** What states of ours are called there. */
const THEIRS: Readonly<Record<string, readonly string[]>> = {
  firstMoment: ["exp_avg"],
  secondMoment: ["exp_avg_sq", "square_avg"],
  maxSecondMoment: ["max_exp_avg_sq"],
  velocity: ["momentum_buffer"],
  momentum: ["momentum_buffer"],
  sumOfSquares: ["sum"],
  infinityNorm: ["exp_inf"],
  deltaMoment: ["acc_delta"],
  mean: ["grad_avg"],
};

/** Options of {@link loadOptimizerState}. */
export interface LoadOptimizerStateOptions extends Pick<StateDictOptions, "images"> {
  /** Where the optimizer's state dict stands in the file; `'optimizer'` by default, `''` where it is the file itself. */
  readonly key?: string | undefined;
  /** Updates that the states have been through, where the file does not tell: that of SGD. 1 by default. */
  readonly updates?: number | undefined;
  /**
   * PyTorch's names of the parameters, in the order of the optimizer's groups: needed where it has several groups, and the file does not tell their names, as an optimizer of `named_parameters()` does.
   */
  readonly names?: readonly string[] | undefined;
  readonly limits?: ExchangeLimits | undefined;
}

/**
 * Takes over the state of an optimizer of Keras (a `.keras`, or weights of a compiled model), or of PyTorch (`torch.save({ "optimizer": optimizer.state_dict() }, path)`) into a minimizer of one model with the same rule: moments of
 * Adam and its kin, the velocity of SGD, sums of squares. The next step of a program is the next step there. Parameters go by their names where the file has them (an optimizer of `net.named_parameters()`), otherwise by
 * their order, that of `net.parameters()`; several groups without names are `ERR_OPTION` without `names`.
 * `ERR_FILE` names what is missing or of another shape, `ERR_OPTION` a recurrent layer without `preset: 'pytorch'`, whose two biases there are one here. Nothing is written unless all of it fits.
 *
 * @example
 * const trainer = minimizer(model, adam({ compat: "pytorch", lr: 0.01 }));
 * await loadStateDict(model, "training.pt", { key: "net" });
 * await loadOptimizerState(trainer, "training.pt", { key: "optimizer" });
 */
export async function loadOptimizerState(
  trainer: Minimizer,
  source: FileSource,
  options: LoadOptimizerStateOptions = {},
): Promise<void> {
  const where = "loadOptimizerState";
  checkKeys(where, options, ["images", "key", "updates", "names", "limits"]);
  const { images, key = "optimizer", updates = 1, names, limits } = options;
  checkNumber(`${where}.updates`, updates, { min: 1, integer: true });
  if (names !== undefined && !areTexts(names)) throw refuseNames("a list of names", describe(names));
  const [model, ...more] = trainer.models;
  if (model === undefined || more.length > 0)
    throw new CarillonError(
      "ERR_OPTION",
      where,
      `expected a minimizer of one model for '${where}' but received one of ${trainer.models.length}`,
    );
  if (await isKeras(where, source)) return await loadKerasState(where, { trainer, model }, source, limits);
  const crossings = trained(where, model, images);
  const file = await openTensors(where, source, limits);
  try {
    const prefix = key === "" ? "" : `${key}.`;
    const keys = keysIn(file, prefix, crossings, names);
    const { states, steps } = await statesIn(file, `${prefix}state.`, { trainer, model, crossings, keys });
    const count = steps ?? updates;
    trainer.restore(model, states, { steps: count, updates: count });
  } finally {
    await file.close();
  }
}

/** Whether a file is one of Keras: a model, or weights. */
async function isKeras(where: string, source: FileSource): Promise<boolean> {
  const file = await open(where, source, where);
  try {
    return ["keras", "hdf5"].includes(await kindOf(file));
  } finally {
    await file.close();
  }
}

async function loadKerasState(
  where: string,
  { trainer, model }: { readonly trainer: Minimizer; readonly model: AnyModel },
  source: FileSource,
  limits: ExchangeLimits | undefined,
): Promise<void> {
  const file = await open(where, source, where);
  try {
    const { weights, entries } = await openKerasWeights(
      where,
      model,
      file,
      checkExchangeLimits(`${where}.limits`, limits),
    );
    try {
      await takeKerasStates(trainer, model, weights, entries);
    } finally {
      await weights.close();
    }
  } finally {
    await file.close();
  }
}

/** Tensors that are parameters there, in its order: each one of ours. */
function trained(where: string, model: AnyModel, images: StateDictOptions["images"]): readonly Crossing[] {
  const parameters = new Set(model.parameters.map(({ name }) => name));
  const found = pytorchEntries(where, model, { images }).filter(({ crossing }) =>
    crossing.ours.some((name) => parameters.has(name)),
  );
  const ours = found.flatMap(({ crossing }) => crossing.ours);
  const twice = found.find(
    ({ crossing }) => crossing.ours.length > 1 || ours.filter((name) => name === crossing.ours[0]).length > 1,
  );
  if (twice === undefined) return found.map(({ crossing }) => crossing);
  const expected = "layers whose parameters are one of PyTorch's each, such as those of preset: 'pytorch',";
  throw new CarillonError("ERR_OPTION", twice.path, `expected ${expected} for '${where}' but received '${twice.path}'`);
}

/**
 * What its groups call the parameters of an optimizer, one a crossing: numbers from 0, and addresses before PyTorch 1.6. `ERR_FILE` unless they are so many, `ERR_OPTION` where nobody can know which is which.
 */
function keysIn(
  { where, facts }: TensorFile,
  prefix: string,
  crossings: readonly Crossing[],
  given: readonly string[] | undefined,
): readonly string[] {
  const found = Object.entries(facts).flatMap(([name, value]) => {
    const [, group, what, at] = name.startsWith(prefix) ? (PARAMETER.exec(name.slice(prefix.length)) ?? []) : [];
    return group === undefined ? [] : [{ group: Number(group), what, at: Number(at), text: String(value) }];
  });
  const inOrder = found.sort((a, b) => a.group - b.group || a.at - b.at);
  const textsOf = (kind: string): readonly string[] =>
    inOrder.flatMap(({ what, text }) => (what === kind ? [text] : []));
  const keys = textsOf("params");
  if (keys.length !== crossings.length) {
    const received = keys.length === 0 ? `no optimizer at '${prefix.slice(0, -1)}'` : `${keys.length}`;
    throw broken(where, `the state of an optimizer of ${crossings.length} parameters`, received);
  }
  const theirs = crossings.map((crossing) => crossing.theirs);
  const told = textsOf("param_names");
  const isAll = (names: readonly string[]): boolean =>
    names.length === theirs.length &&
    new Set(names).size === theirs.length &&
    theirs.every((name) => names.includes(name));
  const names = given ?? (isAll(told) ? told : undefined);
  if (names === undefined) {
    const groups = new Set(inOrder.map(({ group }) => group)).size;
    if (groups === 1) return keys;
    throw refuseNames("the names of the parameters in the order of the groups", `none, of ${groups} groups`);
  }
  if (!isAll(names)) {
    const received = `[${names.map((name) => `'${shortened(name, 60)}'`).join(", ")}]`;
    throw refuseNames(`the names ${theirs.join(", ")}, in the order of the groups,`, shortened(received, 400));
  }
  return theirs.map((name) => keys[names.indexOf(name)] ?? "");
}

function refuseNames(expected: string, received: string): CarillonError {
  const place = "loadOptimizerState.names";
  return new CarillonError("ERR_OPTION", place, `expected ${expected} for '${place}' but received ${received}`);
}

/** A parameter of a group. */
const PARAMETER = /^param_groups\.(\d+)\.(params|param_names)\.(\d+)$/;

interface Sought {
  readonly trainer: Minimizer;
  readonly model: AnyModel;
  readonly crossings: readonly Crossing[];
  /** What the file calls their parameters. */
  readonly keys: readonly string[];
}

async function statesIn(
  file: TensorFile,
  prefix: string,
  { trainer, model, crossings, keys }: Sought,
): Promise<{ readonly states: ReadonlyMap<string, Float32Array>; readonly steps: number | undefined }> {
  const shapes = trainer.stateShapes(model);
  const states = new Map([...shapes].map(([name, shape]) => [name, new Float32Array(extent(shape))]));
  let steps: number | undefined;
  for (const [at, crossing] of crossings.entries()) {
    const [parameter = ""] = crossing.ours;
    const own = `${prefix}${keys[at]}.`;
    for (const name of shapes.keys()) {
      const [state = "", of] = split(name);
      if (of !== parameter || state === "average") continue;
      const target = states.get(name);
      const called = THEIRS[state]?.map((one) => `${own}${one}`) ?? [];
      const theirs = called.find((one) => file.entries.has(one));
      const entry = theirs === undefined ? undefined : file.entries.get(theirs);
      if (theirs === undefined || entry === undefined || target === undefined)
        throw broken(
          file.where,
          `${state} of '${parameter}' (${called.join(" or ")})`,
          "none of that name: the optimizer there has another rule",
        );
      if (!fits(crossing, entry))
        throw broken(`${file.where}: ${theirs}`, formatShape(crossing.shape), formatShape(entry.shape));
      crossing.write(floatsOf(await file.read(theirs)), () => target);
    }
    const step = await stepOf(file, `${own}step`);
    if (step !== undefined && steps !== undefined && step !== steps)
      throw broken(file.where, "parameters of one number of updates", `${steps} and ${step}`);
    steps = step ?? steps;
  }
  return { states, steps };
}

/** `firstMoment/linear1.weight` */
function split(name: string): readonly [state: string, parameter: string] {
  const at = name.indexOf("/");
  return [name.slice(0, at), name.slice(at + 1)];
}

/** Updates of a parameter: a number, or a tensor of one. */
async function stepOf(file: TensorFile, name: string): Promise<number | undefined> {
  const entry = file.entries.get(name);
  if (entry !== undefined && extent(entry.shape) !== 1)
    throw broken(`${file.where}: ${name}`, "one number", formatShape(entry.shape));
  const value: unknown = entry === undefined ? file.facts[name] : (await file.read(name)).data[0];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
  throw broken(`${file.where}: ${shortened(name, 100)}`, "a whole number above 0", describe(value));
}
