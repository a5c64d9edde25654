import { basename } from "node:path";
import { CarillonError } from "../../errors.js";
import type { AnyModel } from "../../index.js";
import { checkBoolean, checkKeys, checkString } from "../../options.js";
import { writePieces } from "../writing.js";
import { draftOf, OPSET } from "./draft.js";
import { type Beside, bytesOf, type ModelDraft, modelMessage, type TensorDraft } from "./encode.js";
import { loadWire } from "./wire.js";

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  /** Name of the graph, `carillon` by default. */
  readonly name?: string | undefined;
  /**
   * Whether outputs have their probabilities beside them, as `predictProbabilities` makes them: by default those whose training, or last layer, says
   * that there are some.
   */
  readonly probabilities?: boolean | undefined;
  /** Whether ids of lists have weights, which are an input of their own then; false by default: each counts once. */
  readonly listWeights?: boolean | undefined;
  /** Whether weights lie in a file beside, `PATH.data`; by default where they have more than 1.5 GB, as a file of ONNX may have 2. */
  readonly externalData?: boolean | undefined;
}

/** What {@link exportOnnx} has written. */
export interface ExportedOnnx {
  /** Version of the operators. */
  readonly opset: number;
  /** Names of inputs and outputs, in order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of the model's file, and of the one beside it, if there is one. */
  readonly bytes: number;
  readonly externalBytes: number;
}

/** Bytes of weights from which they lie in a file of their own. */
const LARGE = 1_500_000_000;

/** Most that a message of protobuf may have. */
const MOST = 2_147_483_647;

/** Tensors of fewer bytes stay in the model's file, which may want to know their numbers: sizes and axes. */
const SMALL = 1024;

/** Places of tensors in the file beside are multiples of it, so that they can be mapped into memory. */
const ALIGNMENT = 4096;

const KEYS = ["name", "probabilities", "listWeights", "externalData"];

/**
 * Writes a model to a file of ONNX, operators of version 20, which ONNX Runtime 1.17 and later, and onnxruntime-node and -web of these versions, take: its network at
 * inference, with the change of units before and behind it, batch norms folded into the products before them. The batch is an axis of any size. Inputs and outputs have the
 * names of the model's, `x` and `y` where there is one each; of classes there are `probabilities` too, and their names stand in the file's metadata under `classes`, what
 * rows of a table go through under `preparation`, as JSON.
 *
 * Answers are those of `predict` but for roundings: sums run in other orders. Files are written as `save` does. Needs the package @bufbuild/protobuf, `ERR_STATE` says how it is installed.
 * `ERR_OPTION` names the layer whose operation ONNX has no form for.
 *
 * @example
 * await exportOnnx(model, "model.onnx");
 */
export async function exportOnnx(
  model: AnyModel,
  path: string,
  options: ExportOnnxOptions = {},
): Promise<ExportedOnnx> {
  checkString("exportOnnx.path", path);
  checkKeys("exportOnnx", options, KEYS);
  const { name = "carillon", probabilities, listWeights = false, externalData } = options;
  for (const [key, value] of Object.entries({ probabilities, externalData }))
    if (value !== undefined) checkBoolean(`exportOnnx.${key}`, value);
  const own = {
    name: checkString("exportOnnx.name", name),
    listWeights: checkBoolean("exportOnnx.listWeights", listWeights),
  };
  const wire = await loadWire();
  const draft = draftOf(model, { ...own, probabilities });
  const weights = draft.tensors.reduce((sum, { data }) => sum + data.bytes, 0);
  const beside = (externalData ?? weights > LARGE) ? placesOf(draft, `${basename(path)}.data`) : NOTHING_BESIDE;
  const message = modelMessage(wire, draft, beside.places);
  const { bytes } = message;
  if (bytes > MOST) {
    const expected = "expected a model of less than 2 GB for 'exportOnnx', or { externalData: true },";
    throw new CarillonError("ERR_OPTION", "exportOnnx.externalData", `${expected} but received one of ${bytes} bytes`);
  }
  if (beside.bytes > 0)
    await writePieces("exportOnnx.path", `${path}.data`, piecesBeside(draft.tensors, beside.places));
  await writePieces("exportOnnx.path", path, bytesOf(message));
  const namesOf = (values: ModelDraft["inputs"]): readonly string[] => values.map((value) => value.name);
  return {
    opset: OPSET,
    inputs: namesOf(draft.inputs),
    outputs: namesOf(draft.outputs),
    bytes,
    externalBytes: beside.bytes,
  };
}

/** Tensors beside a model's file. */
interface Places {
  readonly places: ReadonlyMap<string, Beside>;
  readonly bytes: number;
}

const NOTHING_BESIDE: Places = { places: new Map(), bytes: 0 };

function placesOf({ tensors }: ModelDraft, location: string): Places {
  const places = new Map<string, Beside>();
  let end = 0;
  for (const { name, data } of tensors) {
    if (data.bytes < SMALL) continue;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    places.set(name, { location, offset });
    end = offset + data.bytes;
  }
  return { places, bytes: end };
}

function* piecesBeside(tensors: readonly TensorDraft[], places: Places["places"]): Generator<Uint8Array> {
  let end = 0;
  for (const { name, data } of tensors) {
    const place = places.get(name);
    if (place === undefined) continue;
    if (place.offset > end) yield new Uint8Array(place.offset - end);
    yield data.make();
    end = place.offset + data.bytes;
  }
}
