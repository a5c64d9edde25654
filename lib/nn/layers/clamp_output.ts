import { countOf } from "../../counts.js";
import { madeBy } from "../../described.js";
import { fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import { tensor } from "../../tensor/tensor.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link clampOutput}: bounds of every feature, or one for each, in the units of the network. */
export interface ClampOutputOptions {
  readonly low: number | readonly number[];
  readonly high: number | readonly number[];
  readonly name?: string | undefined;
}

function checkBound(where: string, bound: number | readonly number[]): number | readonly number[] {
  if (!Array.isArray(bound)) return checkNumber(where, bound);
  if (bound.length === 0) fail("ERR_OPTION", where, "a number, or one for each feature", bound);
  return bound.map((one: unknown, at) => checkNumber(`${where}[${at}]`, one));
}

/** Options of {@link clampOutput} with bounds that are found. */
export interface FoundBoundsOptions {
  readonly name?: string | undefined;
}

/** What no float32 is beyond. */
const MOST = 3.4028234663852886e38;

/**
 * y = min(max(x, low), high) at inference, x in training: answers that stay within what the targets were, as a last layer. Validation and
 * metrics see them too. Holzmüller, Grinsztajn, Steinwart 2024.
 *
 * `clampOutput(n)`: bounds of n features are states, the least and the greatest target of the rows that {@link drawFromData} is given as `y`; until then nothing
 * is clamped. They are saved with the weights. `clampOutput({ low, high })`: bounds that are known; `ERR_OPTION` unless low ≤ high everywhere.
 */
export function clampOutput<const N extends number>(outputs: N, options?: FoundBoundsOptions): Layer<N, "same">;
export function clampOutput(options: ClampOutputOptions): Layer<number, "same">;
export function clampOutput(
  given: number | ClampOutputOptions,
  options: FoundBoundsOptions = {},
): Layer<number, "same"> {
  return typeof given === "number" ? foundBounds(given, options) : givenBounds(given);
}

function foundBounds(given: number, options: FoundBoundsOptions): Layer<number, "same"> {
  checkKeys("clampOutput", options, ["name"]);
  const inputs = checkNumber("clampOutput.outputs", given, { min: 1, integer: true });
  const { name } = options;
  const bound = { shape: [inputs], min: -MOST } as const;
  const layer = defineLayer({
    kind: "clampOutput",
    inputs,
    outputs: "same",
    name,
    config: { inputs },
    state: {
      low: { ...bound, init: -MOST, targets: "least" },
      high: { ...bound, init: MOST, targets: "greatest" },
    },
    forward: (x, _parameters, { training, state }) => (training ? x : ops.clip(x, state.low, state.high)),
  });
  return madeBy("clampOutput", { inputs, name }, layer);
}

function givenBounds(options: ClampOutputOptions): Layer<number, "same"> {
  checkKeys("clampOutput", options, ["low", "high", "name"]);
  const low = checkBound("clampOutput.low", options.low);
  const high = checkBound("clampOutput.high", options.high);
  const { name } = options;
  const lists = [low, high].filter((bound): bound is readonly number[] => typeof bound !== "number");
  const [first, second = first] = lists;
  if (first?.length !== second?.length)
    fail("ERR_OPTION", "clampOutput.high", countOf(first?.length ?? 0, "number"), high);
  const at = (bound: number | readonly number[], index: number): number =>
    typeof bound === "number" ? bound : (bound[index] ?? 0);
  for (let index = 0; index < (first?.length ?? 1); index++) {
    if (at(low, index) > at(high, index))
      fail("ERR_OPTION", "clampOutput.high", `at least low (${at(low, index)})`, at(high, index));
  }
  const bounds = [low, high].map((bound) => (typeof bound === "number" ? bound : tensor([...bound])));
  const layer = defineLayer({
    kind: "clampOutput",
    outputs: "same",
    name,
    config: { low, high },
    forward: (x, _parameters, { training }) => (training ? x : ops.clip(x, bounds[0] ?? 0, bounds[1] ?? 0)),
  });
  return madeBy("clampOutput", { low, high, name }, layer);
}
