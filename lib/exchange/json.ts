// A model's layers as JSON, without weights, both ways.
import { shortened } from "../errors.js";
import {
  type AnyModel,
  CarillonError,
  type Description,
  descriptionOf,
  fromDescription,
  type Model,
} from "../index.js";
import { isObject } from "../io/header.js";
import { nestingOf } from "../io/json.js";

/** A model's layers as plain data: {@link modelToJson}. */
export interface ModelJson {
  readonly format: "carillon.description";
  readonly version: 1;
  /** The model as `descriptionOf` has it. */
  readonly model: Description;
  /** Names and shapes of its parameters and states, as its weights have them. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

const FORMAT = "carillon.description";

/** Objects and lists in one another: layers are a few levels each, and may stand in one another 32 times. */
const DEEPEST = 512;

/** Characters of a text. */
const LONGEST = 67_108_864;

/**
 * The layers of a model as plain data that JSON keeps, with every option, defaults too, and without weights: {@link modelFromJson} makes the same
 * model again, whose initial weights are the same bits. `ERR_OPTION` names a layer of your own, or a model that is a function of your own (`network`).
 *
 * @example
 * await writeFile("model.json", JSON.stringify(modelToJson(model)));
 */
export function modelToJson(model: AnyModel): ModelJson {
  const weights = [...model.parameters, ...model.state].map(({ name, shape }) => [name, shape] as const);
  return { format: FORMAT, version: 1, model: describedModel(model), weights: Object.fromEntries(weights) };
}

function describedModel(model: AnyModel): Description {
  try {
    return descriptionOf(model);
  } catch (cause) {
    if (model.kind !== "network" && model.kind !== "towers" && model.kind !== "ensemble") throw cause;
    const expected = "expected a model of layers one after another (sequential) for 'modelToJson'";
    const instead = "whose form JSON does not keep: save() keeps it with its weights";
    throw new CarillonError("ERR_OPTION", "modelToJson", `${expected} but received one of ${model.kind}, ${instead}`, {
      cause,
    });
  }
}

/**
 * The model of {@link modelToJson}, from its plain data, its text, or a description alone, without weights. `ERR_FILE` for what is no JSON, or has another format;
 * `ERR_OPTION` and `ERR_UNKNOWN_OPTION` name the place in the description that is not what the layer has.
 *
 * @example
 * const model = modelFromJson(await readFile("model.json", "utf8")).initialize(1);
 */
export function modelFromJson(json: unknown, where = "modelFromJson"): Model {
  const given = typeof json === "string" ? parsed(where, json) : json;
  if (!isObject(given)) throw refusal(where, shortened(JSON.stringify(given) ?? String(given), SHOWN));
  if ("kind" in given) return fromDescription("model", given);
  const { format, version, model }: Partial<Record<"format" | "version" | "model", unknown>> = { ...given };
  if (format !== FORMAT || model === undefined) throw refusal(where, shortened(Object.keys(given).join(", "), SHOWN));
  if (version !== 1)
    throw refusal(
      where,
      `version ${shortened(JSON.stringify(version) ?? "none", SHOWN)}, which this carillon does not know`,
    );
  return fromDescription("model", model);
}

const SHOWN = 100;

function refusal(where: string, received: string, cause?: unknown): CarillonError {
  const problem = `expected the description of a model, as modelToJson gives it, for '${where}' but received ${received}`;
  return new CarillonError("ERR_FILE", where, problem, { cause });
}

function parsed(where: string, text: string): unknown {
  if (text.length > LONGEST) throw refusal(where, `${text.length} characters`);
  if (nestingOf(text) > DEEPEST) throw refusal(where, `JSON that is more than ${DEEPEST} levels deep`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refusal(where, "what is no JSON", cause);
  }
}
