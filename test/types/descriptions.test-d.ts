import { adam, type Description, descriptionOf, fit, fromDescription, type Loss, linear, sequential } from "carillon";

const job: { readonly [part: string]: unknown } = JSON.parse("{}");

const text: string = JSON.stringify(descriptionOf(adam()));
const { kind, options }: Description = descriptionOf(linear(2, 1));
const name: string = kind;
const inputs: unknown = options.inputs;

await fit(sequential(linear(2, 1)), {
  data: { x: [[1, 2]], y: [1] },
  loss: fromDescription("loss", job.loss),
  optimizer: fromDescription("optimizer", job.optimizer),
  regularizer: fromDescription("regularizer", job.regularizer),
  inputs: fromDescription("transform", job.inputs),
  callbacks: [fromDescription("callback", job.callback)],
  metrics: [fromDescription("metric", job.metric)],
  epochs: 1,
});
adam({ lr: fromDescription("schedule", job.lr) });
linear(2, 1, { init: fromDescription("initializer", job.init) });
sequential(fromDescription("layer", job.layer));

// @ts-expect-error: no family has this name
fromDescription("optimiser", job.optimizer);
// @ts-expect-error: an optimizer is no loss
export const wrong: Loss = fromDescription("optimizer", job.loss);
// @ts-expect-error: a number has no description
descriptionOf(3);

export { inputs, name, text };
