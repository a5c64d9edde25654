import { madeBy } from "../../described.js";
import { CarillonError, fail } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { angleAt } from "../../ops/turn.js";
import { checkKeys, checkNumber, checkOneOf } from "../../options.js";
import { checkRegularizers, type Regularizers } from "../../regularizers/index.js";
import { sineAndCosine } from "../../tensor/exact.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Value } from "../../tensor/value.js";
import { type Initializer, normal } from "../parameters/initializers.js";
import { parameter } from "../parameters/parameter.js";
import { type Steps, stepsOfTrace } from "../structure/generation.js";
import { defineLayer, type Layer } from "../structure/layer.js";
import { expectSteps } from "./attention.js";

/** Options of {@link positions}. */
export interface PositionsOptions {
  /** Steps that there are at most. */
  readonly time: number;
  /** Features of a step. */
  readonly size: number;
  /** Of a learned table; N(0, 0.02) by default. A number is a constant. */
  readonly init?: Initializer | number | undefined;
  /** Of a learned table, which model-wide ones do not reach. */
  readonly regularizer?: Regularizers | undefined;
  readonly name?: string | undefined;
}

const FORMS = ["sinusoidal", "learned"] as const;

/** Base of the wavelengths. */
const BASE = 10_000;

/** Of what is learned, at first: as in GPT-2. */
const DEVIATION = 0.02;

/** [time, size]: sines and cosines in turn. */
function waves(time: number, size: number): Tensor {
  const table = Float32Array.from({ length: time * size }, (_, at) => {
    const [place, feature] = [Math.floor(at / size), at % size];
    const { sine, cosine } = sineAndCosine(angleAt(place, Math.floor(feature / 2), size, BASE));
    return feature % 2 === 0 ? sine : cosine;
  });
  return new Tensor(table, [time, size], "f32");
}

/** Single steps at their own places; `ERR_SHAPE` where they may be more than the table has. */
function goneOn(
  x: Value,
  table: Value,
  { places, time: most }: Steps,
  { time, size }: Record<"time" | "size", number>,
): Value {
  if (most <= time) return ops.add(x, ops.reshape(ops.take(table, places), ["batch", 1, size]));
  const expected = `expected a length of at most ${time}, as 'positions' has so many,`;
  throw new CarillonError("ERR_SHAPE", "generator.length", `${expected} but received ${most}`);
}

/**
 * Adds to each step of a sequence what says where it stands: y = x + table[step], x and y: [batch, steps, size], steps ≤ time.
 *
 *     sinusoidal  table[t, 2i] = sin(t/10000^(2i/size)), table[t, 2i + 1] = cos of the same (Vaswani et al. 2017)
 *     learned     a parameter of [time, size], of the role `table` (Gehring et al. 2017)
 *
 * Rotary positions turn queries and keys instead, and are an option of `attention` and `transformerBlock`. A longer sequence is `ERR_SHAPE`.
 */
export function positions<const Size extends number>(
  form: (typeof FORMS)[number],
  options: PositionsOptions & { readonly size: Size },
): Layer<Size, "same", "f32"> {
  if ((form as string) === "rotary")
    fail("ERR_OPTION", "positions", "'sinusoidal' or 'learned' (rotary ones are an option of attention)", form);
  checkOneOf("positions", form, FORMS);
  checkKeys("positions", options, ["time", "size", "init", "regularizer", "name"]);
  const time = checkNumber("positions.time", options.time, { min: 1, integer: true });
  const { init, regularizer, name } = options;
  const size = options.size;
  checkNumber("positions.size", size, { min: 1, integer: true });
  for (const option of ["init", "regularizer"] as const) {
    const isGiven = options[option] !== undefined && options[option] !== null;
    if (form === "sinusoidal" && isGiven)
      fail("ERR_OPTION", `positions.${option}`, "none of sinusoidal positions", options[option]);
  }
  const own = [...checkRegularizers("positions.regularizer", regularizer)];
  const table = parameter([time, size], {
    role: "table",
    init: init ?? normal({ deviation: DEVIATION }),
    regularizer: own,
  });
  const config = { form, time, size };
  let fixed: Tensor | undefined;
  const layer = defineLayer({
    ...{ kind: "positions", inputs: size, outputs: "same" as const, steps: true as const, name, config },
    parameters: form === "learned" ? { table } : {},
    infer: (given) => {
      expectSteps("positions", given, size);
      const steps = given.shape[1];
      if (typeof steps === "number" && steps > time) {
        const expected = `expected at most ${time} steps for 'positions'`;
        throw new CarillonError("ERR_SHAPE", "positions", `${expected} but received ${steps}`);
      }
      return { shape: given.shape, dtype: "f32" };
    },
    forward: (x, found: { readonly table?: Value }) => {
      const on = stepsOfTrace();
      const steps = Number(x.shape[1]);
      fixed ??= form === "learned" ? undefined : waves(time, size);
      const all = found.table ?? fixed;
      if (all === undefined) return fail("ERR_TRACE", "positions", "its table", found);
      if (on !== undefined) return goneOn(x, all, on, { time, size });
      return ops.add(x, steps === time ? all : ops.slice(all, 0, steps, { axis: 0 }));
    },
  });
  const told = form === "learned" ? { init: table.init, regularizer } : {};
  return madeBy("positions", { ...config, ...told, name }, layer);
}
