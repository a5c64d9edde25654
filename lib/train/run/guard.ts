// What the guard against numbers that are not finite tells: where the first one came up, and with which examples.
import { type NativeFault, native } from "../../binding/native.js";
import type { BoundExamples } from "../../data/bind.js";
import { CarillonError } from "../../errors.js";
import { CompiledProgram, type FeedOrigin } from "../../graph/compiled.js";
import { giveOut } from "../../graph/output.js";
import { Trace, tracing } from "../../graph/trace.js";
import type { CarriedLanes } from "../../nn/evaluation/carried.js";
import { recordObjective } from "../../nn/evaluation/objective.js";
import type { OutputLoss } from "../../nn/losses/outputs.js";
import type { AnyModel } from "../../nn/model/model.js";
import { elements } from "../../tensor/shape.js";
import type { Value } from "../../tensor/value.js";
import type { FiniteCheck } from "../finite.js";
import { isDrawn } from "../step.js";

/** A run that a number stopped. */
export interface Stopped {
  readonly model: AnyModel;
  readonly program: Pick<CompiledProgram, "batchOf">;
  /** The checks of its guard, by the number that a fault reports. */
  readonly checks: readonly FiniteCheck[];
  readonly fault: NativeFault;
  /** The step that was not done. */
  readonly step: number;
  readonly seed: number;
  readonly train: BoundExamples;
  readonly losses: readonly OutputLoss[];
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** Where the epochs of data in memory are counted from. */
  readonly origin: FeedOrigin | undefined;
  /** Where rows go on from one another: as the step before has left it. */
  readonly carried: CarriedLanes | undefined;
  /** Numbers of the batch's examples in the epoch of a stream, in the order of training. */
  readonly streamed: Float64Array | undefined;
}

/** `ERR_NON_FINITE`, naming the layer, parameter or state, the step and the examples of its batch. */
export async function nonFinite(stopped: Stopped): Promise<CarillonError> {
  const { program, fault, step } = stopped;
  const { what = "loss", name = "loss", every = 1 } = stopped.checks[fault.value] ?? {};
  const received = fault.limit === 0 ? "NaN" : fault.limit > 0 ? "Infinity" : "-Infinity";
  const examples = stopped.streamed ?? program.batchOf(step);
  const order = stopped.streamed === undefined ? "" : " of its epoch, in the order of training";
  const batch = `the batch of step ${step}: ${examplesText(examples)}${order}`;
  if (what === "weight") {
    const since = every === 1 ? "" : ` (looked at every ${every} steps)`;
    const where = `a finite ${name} after step ${step}${since} but received ${received} in element ${fault.row}`;
    return new CarillonError("ERR_NON_FINITE", name, `expected ${where}, in ${batch}`);
  }
  const sound = `the model holds the weights of step ${step - 1}`;
  if (what === "gradient" || what === "state") {
    const noun = what === "gradient" ? "gradient of" : "state";
    const where = `a finite ${noun} '${name}' but received ${received} in element ${fault.row}`;
    return new CarillonError("ERR_NON_FINITE", name, `expected ${where}, in ${batch}; ${sound}`);
  }
  const { place, layer, row } = await firstPlace(stopped);
  const origin = row === undefined ? `from ${place}` : `first in ${place} for example ${examples[row]}`;
  const where = layer ?? name;
  return new CarillonError(
    "ERR_NON_FINITE",
    where,
    `expected a finite loss but received ${received}, ${origin}, in ${batch}; ${sound}`,
  );
}

/** Examples that a message shows. */
const SHOWN = 8;

/** `examples 32 to 63`, or the first few of a shuffled batch. */
function examplesText(examples: Int32Array | Float64Array): string {
  const [first = 0] = examples;
  if (examples.length === 1) return `example ${first}`;
  if (examples.every((example, index) => example === first + index)) {
    return `examples ${first} to ${first + examples.length - 1}`;
  }
  const list = [...examples.subarray(0, SHOWN)].join(", ");
  return `examples ${list}${examples.length > SHOWN ? `, … (${examples.length} in all)` : ""}`;
}

interface FirstPlace {
  readonly place: string;
  /** Its name, if a layer it is. */
  readonly layer: string | undefined;
  /** Of the batch; `undefined` where no single row is at fault. */
  readonly row: number | undefined;
}

/** Runs the step's forward pass again, with its own masks, and looks at what every layer gives. */
async function firstPlace(stopped: Stopped): Promise<FirstPlace> {
  const { model, losses, train, seed, step, batchSize, shuffle, origin, carried, streamed } = stopped;
  const trace = new Trace(seed, true);
  const seen: (Omit<FirstPlace, "row"> & { readonly value: Value; readonly read: () => Float32Array })[] = [];
  const look = (place: string, layer: string | undefined, value: Value): void => {
    const count = elements(value.shape) * batchSize;
    const slab = native.slabCreate(count, "f32");
    trace.add(giveOut(value, slab));
    const read = (): Float32Array => {
      const data = new Float32Array(count);
      native.slabRead(slab, 0, data);
      return data;
    };
    seen.push({ place, layer, value, read });
  };
  tracing(trace, () => {
    recordObjective(model, losses, train, batchSize, {
      carried,
      layer: (name, output) => look(`the output of '${name}'`, name, output),
      losses: (values, output) => {
        look(output === undefined ? "the loss itself" : `the loss of '${output}' itself`, undefined, values);
      },
    });
  });
  const program = new CompiledProgram(trace, {
    maxRows: batchSize,
    bindings: train.bindings,
    feed: {
      samples: train.samples,
      batch: batchSize,
      shuffle: shuffle && isDrawn(train),
      origin,
      set: train.set,
      rows: train.rows,
    },
  });
  await program.run({ firstStep: step, steps: 1, rows: streamed?.length });
  const { length: rows } = streamed ?? program.batchOf(step);
  for (const { place, layer, value, read } of seen) {
    const columns = elements(value.shape);
    const at = read()
      .subarray(0, rows * columns)
      .findIndex((one) => !Number.isFinite(one));
    if (at >= 0) return { place, layer, row: Math.floor(at / columns) };
  }
  return { place: "the sum over the batch", layer: undefined, row: undefined };
}
