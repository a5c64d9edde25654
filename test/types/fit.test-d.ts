// What the compiler says about models, fit and its events, ops and optimizers, checked by `tsc -p test/types`: a line
// under an expected error must not compile.
import {
  adam,
  type Best,
  type Callback,
  type CallbackHooks,
  type ConfusionMatrix,
  crossEntropy,
  defineLayer,
  defineMetric,
  dropout,
  type Evaluation,
  earlyStopping,
  type FitEvent,
  type FitOptions,
  f1,
  fit,
  type Layer,
  l2,
  linear,
  loadModel,
  type Metric,
  type Model,
  mse,
  ops,
  parameter,
  precision,
  program,
  recall,
  reduceOnPlateau,
  relu,
  type StepLosses,
  sequential,
  sgd,
  sgdMomentum,
  spec,
  Tensor,
  tanh,
  tensor,
  topK,
  type Value,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

// Models know their sizes.
const model = sequential(linear(784, 256), relu(), dropout(0.5), linear(256, 10));
holds<Equal<typeof model, Model<784, 10, "f32">>>();
sequential(
  linear(784, 256),
  relu(),
  // @ts-expect-error layer 3 takes 128 features, but layer 1 gives 256
  linear(128, 10),
);
/** The sentence itself stands at the argument. */
type Wrong = [Layer<784, 256>, Layer<number, "same">, Layer<128, 10>];
type Third = Parameters<typeof sequential<Wrong>>[2];
holds<Equal<Third, "layer 3 takes 128 features, but layer 1 gives 256">>();
sequential(
  linear(4, 4),
  // @ts-expect-error an activation is called
  tanh,
);
const loaded: Promise<Model> = loadModel("model.safetensors");
holds<Equal<Awaited<typeof loaded>, Model>>();

// Options of fit: known keys only, of the right types; undefined is accepted for every optional one.
declare const x: Float32Array;
declare const y: Int32Array;
const base = { data: { x, y }, loss: crossEntropy(), optimizer: adam(), epochs: 1 } as const;
fit(model, { ...base });
fit(model, {
  ...base,
  regularizer: undefined,
  metrics: undefined,
  steps: undefined,
  batchSize: undefined,
  shuffle: undefined,
  seed: undefined,
  threads: undefined,
  reportEvery: undefined,
  callbacks: undefined,
  signal: undefined,
  resume: undefined,
  validation: undefined,
});
fit(model, { ...base, regularizer: null });
fit(model, {
  data: { x, y },
  loss: crossEntropy(),
  optimizer: adam(),
  // @ts-expect-error Did you mean 'epochs'?
  epoch: 3,
});
fit(model, {
  data: {
    x,
    y,
    // @ts-expect-error Did you mean 'weight'?
    weights: [1],
  },
  loss: crossEntropy(),
  optimizer: adam(),
});
// @ts-expect-error the loss is required
fit(model, { data: { x, y }, optimizer: adam(), epochs: 1 });
// @ts-expect-error the optimizer is a description, not the function that makes one
fit(model, { ...base, optimizer: adam });
// @ts-expect-error a regularizer is not a number
fit(model, { ...base, regularizer: 0.01 });
// @ts-expect-error no such metric
fit(model, { ...base, metrics: ["acuracy"] });
// @ts-expect-error an array of names
fit(model, { ...base, metrics: "accuracy" });
// @ts-expect-error a period is in steps or in epochs
fit(model, { ...base, callbacks: [{ name: "a", every: { steps: 1, epochs: 1 }, decide: () => undefined }] });
// @ts-expect-error null is not undefined
fit(model, { ...base, epochs: null });
fit(model, {
  ...base,
  checkpoint: { dir: "a", every: { steps: 5 }, keep: 2, best: { monitor: "loss" } },
  resume: "auto",
});
fit(model, { ...base, resume: { from: "a.safetensors", changed: ["lr"] } });
// @ts-expect-error a folder is needed
fit(model, { ...base, checkpoint: { keep: 3 } });
// @ts-expect-error no such setting
fit(model, { ...base, resume: { from: "auto", changed: ["rate"] } });

// Events have the metrics that were asked for, and a validation only where there is one.
const plain = await fit(model, base);
holds<Equal<(typeof plain.history)[number]["validation"], undefined>>();
holds<Equal<(typeof plain.history)[number]["metrics"], Readonly<Record<never, number>>>>();
// @ts-expect-error accuracy was not asked for
plain.history[0]?.metrics.accuracy;

const measured = fit(model, { ...base, validation: { x, y }, metrics: ["accuracy"] });
for await (const event of measured) {
  holds<Equal<typeof event, FitEvent<"accuracy", Evaluation<"accuracy">>>>();
  if (event.kind === "epoch") {
    holds<Equal<typeof event.metrics.accuracy, number>>();
    holds<Equal<typeof event.validation.metrics.accuracy, number>>();
    // @ts-expect-error no such figure
    event.metrics.auc;
  } else if (event.kind === "step") {
    holds<Equal<typeof event.loss, number>>();
    // @ts-expect-error a step has no metrics
    event.metrics;
  } else {
    holds<Equal<typeof event.kind, "reading" | "start" | "validation" | "fewRows" | "checkpoint" | "end">>();
  }
}
const { history, best } = await measured;
holds<Equal<typeof best, Best | undefined>>();
holds<Equal<(typeof history)[number]["validation"]["loss"], number>>();
const half = await fit(model, { ...base, validation: { x, y } });
holds<Equal<(typeof half.history)[number]["validation"], Evaluation<never>>>();

// Metrics: names and made ones; their keys are those of events.
const many = await fit(model, {
  ...base,
  metrics: ["confusionMatrix", topK(5), precision({ average: "macro", name: "macroPrecision" }), recall()],
});
type Many = (typeof many.history)[number]["metrics"];
holds<Equal<keyof Many, "confusionMatrix" | "top5" | "macroPrecision" | "recall">>();
holds<Equal<Many["confusionMatrix"], ConfusionMatrix>>();
holds<Equal<Many["top5"], number>>();
// @ts-expect-error no such average
f1({ average: "samples" });
// @ts-expect-error a probability is a number
f1({ threshold: "0.5" });
holds<Equal<ReturnType<typeof weighted>, Metric<"weighted">>>();
const weighted = () => f1({ average: "weighted", threshold: undefined, name: "weighted" });
const bias = defineMetric({
  name: "bias",
  start: () => ({ sum: 0, weight: 0 }),
  add(state, { rows, outputs, targets, weights }) {
    for (let row = 0; row < rows; row++) {
      state.sum += (weights[row] ?? 0) * ((outputs[row] ?? 0) - (targets[row] ?? 0));
      state.weight += weights[row] ?? 0;
    }
    return state;
  },
  result: ({ sum, weight }) => sum / weight,
});
holds<Equal<typeof bias, Metric<"bias">>>();
// @ts-expect-error a metric gives a number
defineMetric({ name: "word", start: () => 0, add: (state) => state, result: () => "0" });

// A validation on a schedule is not there at every epoch.
const scheduled = await fit(model, { ...base, validation: { x, y }, validate: { every: { steps: 10 } } });
holds<Equal<(typeof scheduled.history)[number]["validation"], Evaluation<never> | undefined>>();
// @ts-expect-error a schedule says when
fit(model, { ...base, validation: { x, y }, validate: {} });

// Losses of all steps, and callbacks with hooks for each run.
const logged = await fit(model, { ...base, log: "steps" });
holds<Equal<typeof logged.losses, StepLosses | undefined>>();
// @ts-expect-error nothing else is logged
fit(model, { ...base, log: "epochs" });
const shared: Callback = { name: "shared", decide: () => undefined, begin: (): CallbackHooks => ({ decide() {} }) };
fit(model, { ...base, callbacks: [shared] });

// Callbacks of the library.
fit(model, {
  ...base,
  callbacks: [earlyStopping({ monitor: "loss", patience: 3 }), reduceOnPlateau({ monitor: "loss" })],
});
// @ts-expect-error patience is required
earlyStopping({ monitor: "loss" });
// @ts-expect-error no such mode
earlyStopping({ monitor: "loss", patience: 3, mode: "auto" });
// @ts-expect-error what is watched is required
reduceOnPlateau({ factor: 0.5 });

// A run rests and goes on.
measured.pause();
measured.resume();
model.predict(x, { threads: 1, signal: AbortSignal.timeout(10) });
// @ts-expect-error no such option
model.predict(x, { thread: 1 });

// A run is a promise, an async iterable and async disposable.
measured.stop();
const disposable: AsyncDisposable = measured;
const iterable: AsyncIterable<FitEvent> = measured;
const promised: Promise<{ readonly reason: "finished" | "stopped" }> = measured;
export const all = [disposable, iterable, promised];

// Evaluate.
const evaluation = await model.evaluate({ x, y }, { loss: crossEntropy(), metrics: ["accuracy"] });
holds<Equal<typeof evaluation, Evaluation<"accuracy">>>();
// @ts-expect-error the loss is required
model.evaluate({ x, y }, {});
const bare = await model.evaluate({ x, y }, { loss: mse() });
// @ts-expect-error accuracy was not asked for
bare.metrics.accuracy;

// Operations on tensors give tensors, with data; a symbol among them gives a symbol, without.
const a = tensor([1, 2]);
declare const symbol: Value;
holds<Equal<ReturnType<typeof ops.relu<typeof a>>, Tensor<"f32">>>();
const sum = ops.add(a, 1);
holds<Equal<typeof sum.data, Float32Array>>();
const mixed = ops.add(a, symbol);
holds<Equal<typeof mixed, Value>>();
// @ts-expect-error a symbol has no data
mixed.data;
// @ts-expect-error a symbol has no data
ops.linear(symbol, a).data;
holds<Equal<typeof classes, Tensor<"i32">>>();
const classes = ops.argmax(a);
const labels: Int32Array = classes.data;
export const used = [labels, Tensor];
const predicted = await model.predict(x);
holds<Equal<typeof predicted, Tensor<"f32">>>();
// @ts-expect-error text is no operand
ops.add(a, "1");

// Layers of one's own: forward is given exactly the parameters that were declared.
const scale = defineLayer({
  kind: "scale",
  inputs: 3,
  outputs: "same",
  parameters: { factor: parameter([3], { init: 1 }) },
  forward(input, parameters, { training }) {
    holds<Equal<typeof training, boolean>>();
    // @ts-expect-error no such parameter
    parameters.shift;
    // @ts-expect-error while it is traced a parameter has no data
    parameters.factor.data;
    return ops.multiply(input, parameters.factor);
  },
});
holds<Equal<typeof scale, Layer<3, "same", "f32">>>();
holds<Equal<typeof scaled, Model<3, 2, "f32">>>();
const scaled = sequential(scale, linear(3, 2));

// Options of layers, penalties and optimizers; undefined is accepted.
linear(3, 3, { bias: undefined, init: undefined, biasInit: 0, regularizer: undefined, name: undefined });
linear(3, 3, { regularizer: null });
linear(3, 3, { regularizer: l2(0.1) });
// @ts-expect-error a penalty is not a number
linear(3, 3, { regularizer: 0.1 });
// @ts-expect-error no such option
linear(3, 3, { biases: true });
// @ts-expect-error sizes are numbers
linear("a", 3);
dropout({ keep: 0.5, scaling: "classic" });
// @ts-expect-error no such scaling
dropout({ keep: 0.5, scaling: "other" });
adam({ lr: undefined, beta1: undefined, epsilon: { value: 1e-8, placement: undefined } });
adam({ lr: ({ step, steps, epoch }) => 0.1 * (step / steps) * epoch });
// @ts-expect-error no such option
adam({ beta: 0.9 });
// @ts-expect-error no such place
adam({ epsilon: { value: 1e-8, placement: "under" } });
// @ts-expect-error a rate is required
sgd({});
// @ts-expect-error a rate is required
sgdMomentum({ beta: 0.9 });
// @ts-expect-error the averaging form has beta, not momentum
sgdMomentum({ lr: 0.1, momentum: 0.9 });
// @ts-expect-error a schedule gives a number
sgd({ lr: () => "0.1" });

// Programs: the body is given symbols, the results are tensors.
const step = program({
  maxBatch: 8,
  inputs: { x: spec(["batch", 3]) },
  body(inputs) {
    // @ts-expect-error a symbol has no data
    inputs.x.data;
    // @ts-expect-error no such input
    inputs.y;
    return { total: ops.sum(inputs.x) };
  },
});
const { total } = await step.run({ x: tensor([[1, 2, 3]]) });
total.item();
// @ts-expect-error the input is required
step.run({});

// Options of any run have a name without arguments.
const options: FitOptions = { data: { x: [[1]], y: [1] }, loss: mse(), optimizer: sgd({ lr: 0.1 }), epochs: 1 };
const changed: Partial<FitOptions> = { metrics: ["rmse"] };
fit(sequential(linear(1, 1)), { ...options, ...changed });
