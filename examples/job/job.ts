// A job: everything that decides what is learned, as plain data.
import {
  type Callback,
  type Description,
  descriptionOf,
  type Examples,
  type FitResult,
  fit,
  fromDescription,
  type Loss,
  type Model,
  type Optimizer,
  type Partition,
  type Transform,
} from "carillon";

/** A job as a file has it. */
export interface JobFile {
  readonly model: Description;
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
  readonly model: Model;
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
  const { model, loss, optimizer, inputs, callbacks, ...rest }: JobFile = JSON.parse(text);
  return {
    ...rest,
    model: fromDescription("model", model),
    loss: fromDescription("loss", loss),
    optimizer: fromDescription("optimizer", optimizer),
    inputs: fromDescription("transform", inputs),
    callbacks: callbacks.map((callback) => fromDescription("callback", callback)),
  };
}

/** The file of a job, with every default that it did not say. */
export function writeJob({ model, loss, optimizer, inputs, callbacks, ...rest }: Job): string {
  const file: JobFile = {
    ...rest,
    model: descriptionOf(model),
    loss: descriptionOf(loss),
    optimizer: descriptionOf(optimizer),
    inputs: descriptionOf(inputs),
    callbacks: callbacks.map(descriptionOf),
  };
  return JSON.stringify(file, null, 2);
}

/** Trains the job's model. */
export async function runJob({ model, ...options }: Job, data: Examples, validation: Examples): Promise<FitResult> {
  return await fit(model, { ...options, data, validation, metrics: ["accuracy"] });
}
