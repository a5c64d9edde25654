import { CarillonError, describe, messageOf, shortened } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import { broken } from "../../io/refusal.js";
import { checkKeys, checkNumber, checkObject, checkString } from "../../options.js";
import { isUint8Array } from "../../tensor/arrays.js";
import { checkShape } from "../../tensor/shape.js";
import { readWhole } from "../reading/file.js";
import { checkVerification, type Verification, verifyModel } from "../verify.js";
import { type End, modelOf, ownName } from "./build.js";
import { decodeModel } from "./decode.js";
import { ELEMENTS, elementName, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "./format.js";
import { Importing } from "./importing.js";
import { operators } from "./operators/index.js";
import { arithmetic } from "./operators/sizes.js";
import { OF_CHANNELS } from "./operators/windows.js";
import { arranged, batchAxis, type Computed, type Dims, type Step } from "./steps.js";
import { Tensors } from "./tensors.js";
import { loadWire } from "./wire.js";

/** Options of {@link importOnnx}. */
export interface ImportOnnxOptions {
  /** Sizes for axes that have names in the file, other than the batch: `{ time: 24 }`. */
  readonly sizes?: Readonly<Record<string, number>> | undefined;
  /** Sizes of the axes of inputs by their names, without the batch and in the file's order: `{ x: [3, 48, 192] }`. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Rows that are answered once, and what the answers have to be: `ERR_STATE` where they are others. */
  readonly verify?: Verification | undefined;
  /** Bytes that the model's file may have, without those beside it; 2 GB by default. */
  readonly maxBytes?: number | undefined;
}

/** Most that a message of protobuf may have. */
const MOST = 2_147_483_647;

const KEYS = ["sizes", "shapes", "verify", "maxBytes"];

/**
 * The model of a file of ONNX, of layers with the file's weights: to answer, and to go on training. Layers one after another are a `sequential`, anything else a `network`.
 *
 * Images and series have their channels last, as everywhere in Carillon: an input of [batch, channels, rows, columns] takes [rows, columns, channels], and so do outputs
 * of that form. Integers are i32. The batch is the first axis without a fixed size, otherwise the first. A dropout of the file drops in training, whatever the file was exported for; numbers
 * that no layer has as weights stay as they are.
 *
 * `ERR_FILE` names what the file has in the place of a model, or the first node that layers cannot be made of, with its operator and inputs. Weights beside the
 * model have to lie in its folder, and be no links. Needs the package @bufbuild/protobuf, `ERR_STATE` says how it is installed.
 *
 * @example
 * const model = await importOnnx("model.onnx");
 * const { data } = await model.predict(rows);
 */
export async function importOnnx(source: string | Uint8Array, options: ImportOnnxOptions = {}): Promise<AnyModel> {
  checkKeys("importOnnx", options, KEYS);
  const { sizes = {}, shapes = {}, verify, maxBytes = MOST } = options;
  checkObject("importOnnx.sizes", sizes);
  for (const [name, size] of Object.entries(sizes))
    checkNumber(`importOnnx.sizes.${name}`, size, { min: 1, integer: true });
  checkObject("importOnnx.shapes", shapes);
  for (const [name, shape] of Object.entries(shapes)) checkShape(`importOnnx.shapes.${name}`, shape);
  checkVerification("importOnnx.verify", verify);
  checkNumber("importOnnx.maxBytes", maxBytes, { min: 0, max: MOST });
  const path = isUint8Array(source) ? undefined : checkString("importOnnx", source);
  const where = path ?? "importOnnx";
  // Floats are moved within these bytes, so that they are our own.
  const [bytes, wire] = await Promise.all([readWhole(where, source, maxBytes), loadWire()]);
  const file = decodeModel(wire, bytes, where);
  const tensors = new Tensors(wire, where, path);
  try {
    await tensors.open(tensorsIn(file));
    const model = made(where, () => modelOfFile(file, where, tensors, { sizes, shapes }));
    if (verify !== undefined) await verifyModel("importOnnx.verify", model, verify);
    return model;
  } finally {
    await tensors.close();
  }
}

/** What `make` makes of a file; whatever its numbers make impossible is `ERR_FILE`. */
function made(where: string, make: () => AnyModel): AnyModel {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof CarillonError && cause.code === "ERR_FILE") throw cause;
    const received = `one that they are not made of: ${shortened(messageOf(cause), SHOWN)}`;
    throw new CarillonError("ERR_FILE", where, broken(where, "a model that layers are made of", received).message, {
      cause,
    });
  }
}

/** Characters of another message. */
const SHOWN = 600;

/** Inputs of a graph, without those that weights stand for. */
const INPUTS = 256;

/** Every tensor of a file. */
function* tensorsIn({ graph }: OnnxModel): Generator<OnnxTensor> {
  yield* graph.initializers.values();
  for (const { attributes } of graph.nodes) {
    for (const { tensor } of attributes.values()) if (tensor !== undefined) yield tensor;
  }
}

/** What goes through to an input of channels as it is. */
const THROUGH: ReadonlySet<string> = new Set([
  "Identity",
  "Cast",
  "Relu",
  "LeakyRelu",
  "Sigmoid",
  "Tanh",
  "Clip",
  "Dropout",
  "Elu",
]);

/** Whether an input, or what is made of it element by element, is taken by an operator that wants channels behind the batch. */
function hasChannels(name: string, nodes: readonly OnnxNode[]): boolean {
  const names = new Set([name]);
  for (const { operator, inputs, outputs } of nodes) {
    const [first = ""] = inputs;
    const isOne = inputs.some((input) => names.has(input));
    if (!isOne) continue;
    if (OF_CHANNELS.has(operator) && names.has(first)) return true;
    const [output = ""] = outputs;
    if (
      THROUGH.has(operator) ||
      ((operator === "Mul" || operator === "Add" || operator === "Sub" || operator === "Div") && inputs.length === 2)
    )
      names.add(output);
  }
  return false;
}

/** What a caller says of sizes that a file leaves open. */
interface ToldSizes {
  readonly sizes: Readonly<Record<string, number>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/** The step of an input, whose channels are last where it is of images or series. */
function inputStep(value: OnnxValue, nodes: readonly OnnxNode[], told: ToldSizes, where: string): Computed {
  const refuse = (expected: string, received: string): never => {
    throw new CarillonError(
      "ERR_FILE",
      where,
      `expected ${expected} for '${where}' but received the input '${value.name}' of ${received}`,
    );
  };
  const { elements } = value;
  const isInteger = elements === ELEMENTS.int64 || elements === ELEMENTS.int32;
  const FLOATS: readonly number[] = [ELEMENTS.float, ELEMENTS.float16, ELEMENTS.double, ELEMENTS.bfloat16];
  if (!isInteger && !FLOATS.includes(elements)) return refuse("inputs of floats or integers", elementName(elements));
  const { sizes } = told;
  const own = Object.hasOwn(told.shapes, value.name) ? told.shapes[value.name] : undefined;
  // Some writers have −1 for what is open.
  const sized = own === undefined ? value.sizes : [undefined, ...own];
  const given = sized?.map((size) => (typeof size === "number" && size < 0 ? undefined : size));
  if (given === undefined || given.length === 0) return refuse("inputs of known axes", "unknown ones");
  if (own !== undefined && value.sizes !== undefined && value.sizes.length !== given.length)
    return refuse(`an input of ${given.length} axes, as 'shapes' has it,`, `${value.sizes.length}`);
  const open = given.findIndex(
    (size) => typeof size !== "number" && !(typeof size === "string" && Object.hasOwn(sizes, size)),
  );
  const batch = open < 0 ? 0 : open;
  const known = given.map((size, axis): number => {
    if (axis === batch) return 0;
    const fixed = typeof size === "string" && Object.hasOwn(sizes, size) ? sizes[size] : size;
    if (typeof fixed === "number" && fixed >= 1) return fixed;
    return refuse(
      "inputs of one axis without a size, the batch, (others by { sizes } or { shapes }),",
      `[${given.map((each) => each ?? "?").join(", ")}]`,
    );
  });
  const others = known.flatMap((_, axis) => (axis === batch ? [] : [axis]));
  // Of [batch, channels, …] the channels go to the end.
  const order =
    batch === 0 && given.length > 2 && hasChannels(value.name, nodes)
      ? [...others.slice(1), ...others.slice(0, 1)]
      : others;
  const dims: Dims = ["batch", ...order.map((axis) => known[axis] ?? 1)];
  const groups = known.map((_, axis) => (axis === batch ? [0] : [order.indexOf(axis) + 1]));
  const dtype = isInteger ? "i32" : "f32";
  return {
    kind: "computed",
    step: { from: [], dims, dtype, work: { kind: "input", name: value.name, dtype } },
    groups,
  };
}

/** What an output is made of: channels stay last, anything else has the file's axes in their order, the batch first. */
function outputStep(value: Computed): Step | undefined {
  const { step, groups } = value;
  const rank = groups.length;
  const places = [0, rank - 1, ...Array.from({ length: Math.max(0, rank - 2) }, (_, at) => at + 1)];
  const isLast =
    rank > 2 && step.dims.length === rank && groups.every((axes, at) => axes.join() === String(places[at]));
  if (isLast) return step;
  const batch = batchAxis(value);
  return arranged(value, [batch, ...groups.flatMap((_, axis) => (axis === batch ? [] : [axis]))]);
}

function modelOfFile(file: OnnxModel, where: string, tensors: Tensors, told: ToldSizes): AnyModel {
  const { graph } = file;
  const of = new Importing(file, where, tensors);
  const taken = new Set<string>();
  const inputs: End[] = [];
  for (const value of graph.inputs) {
    if (graph.initializers.has(value.name)) continue; // what may be given in the place of a weight
    if (inputs.length >= INPUTS) throw broken(where, `a model of at most ${INPUTS} inputs`, "more");
    const made = inputStep(value, graph.nodes, told, where);
    of.set(value.name, made);
    inputs.push({ name: ownName(value.name, taken, "x"), step: made.step });
  }
  for (const node of graph.nodes) {
    const known = node.domain === "" ? arithmetic(of, node) : undefined;
    if (known !== undefined) {
      of.set(node.outputs[0], known);
      continue;
    }
    const make =
      node.domain === "" || (node.domain === "com.microsoft" && CONTRIBUTED.has(node.operator))
        ? operators.get(node.operator)
        : undefined;
    if (make === undefined) of.refuse(node, "no layer is made of it");
    else make(of, node);
  }
  const [only] = inputs;
  const ends = inputs.length === 1 && only !== undefined ? [{ ...only, name: "x" }] : inputs; // one needs no name
  const names = new Set<string>();
  const outputs = graph.outputs.map(({ name }): End => {
    const known = of.find(name);
    const step = known?.kind === "computed" ? outputStep(known) : undefined;
    if (step !== undefined) return { name: ownName(name, names, "y"), step };
    const received =
      known === undefined
        ? "nothing"
        : known.kind === "constant"
          ? "a constant"
          : "one whose batch is no axis of its own";
    throw new CarillonError(
      "ERR_FILE",
      where,
      `expected nodes that give the output '${name}' for '${where}' but received ${received}`,
    );
  });
  if (inputs.length === 0 || outputs.length === 0)
    throw new CarillonError(
      "ERR_FILE",
      where,
      `expected a model with inputs and outputs for '${where}' but received ${describe(inputs.length)} and ${describe(outputs.length)}`,
    );
  return modelOf(ends, outputs);
}

/** Operators of ONNX Runtime that are those of ONNX. */
const CONTRIBUTED: ReadonlySet<string> = new Set(["Gelu", "SimplifiedLayerNormalization"]);
