// A job: everything that decides what is learned, as plain data.
import {
  type Callback,
  type Description,
  descriptionOf,
  type Examples,
  type FitResult,
  fit,
  fromDescription,
  type Layer,
  type Loss,
  type Model,
  type Optimizer,
  type Partition,
  sequential,
  type Transform,
} from "carillon";

/** A job as a file has it. */
export interface JobFile {
  readonly layers: readonly Description[];
  readonly loss: Description;
  readonly optimizer: Description;
  readonly inputs: Description;
  readonly callbacks: readonly Description[];
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
}

/** The same, made. */
export interface Job {
  readonly layers: readonly Layer[];
  readonly loss: Loss;
  readonly optimizer: Optimizer | Partition;
  readonly inputs: Transform;
  readonly callbacks: readonly Callback[];
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
}

/** Makes what a file describes; what it cannot mean is an error with its place, `optimizer.options.lr.kind`. */
export function readJob(text: string): Job {
  const { layers, loss, optimizer, inputs, callbacks, ...rest }: JobFile = JSON.parse(text);
  return {
    ...rest,
    layers: layers.map((layer) => fromDescription("layer", layer)),
    loss: fromDescription("loss", loss),
    optimizer: fromDescription("optimizer", optimizer),
    inputs: fromDescription("transform", inputs),
    callbacks: callbacks.map((callback) => fromDescription("callback", callback)),
  };
}

/** The file of a job, with every default that it did not say. */
export function writeJob({ layers, loss, optimizer, inputs, callbacks, ...rest }: Job): string {
  const file: JobFile = {
    ...rest,
    layers: layers.map(descriptionOf),
    loss: descriptionOf(loss),
    optimizer: descriptionOf(optimizer),
    inputs: descriptionOf(inputs),
    callbacks: callbacks.map(descriptionOf),
  };
  return JSON.stringify(file, null, 2);
}

/** Trains the job's network. */
export async function runJob(
  { layers, ...options }: Job,
  data: Examples,
  validation: Examples,
): Promise<{ readonly model: Model; readonly result: FitResult }> {
  const model: Model = sequential(...layers);
  return { model, result: await fit(model, { ...options, data, validation, metrics: ["accuracy"] }) };
}
