// What the compiler says about programs and gradients. A line under an expected error must not compile.
import {
  adam,
  grad,
  linear,
  loadCheckpoint,
  minimizer,
  ops,
  type ProgramContext,
  program,
  type State,
  saveCheckpoint,
  sequential,
  spec,
  type Tensor,
  tensor,
  type Value,
  valueAndGrad,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const generator = sequential(linear(8, 2));
const trainer = minimizer(generator, adam());
declare const symbol: Value;

// A body is given symbols, and what it may draw with; a call takes tensors or numbers and gives tensors.
const step = program({
  maxBatch: 8,
  inputs: { real: spec(["batch", 2]), label: spec(["batch"], "i32") },
  body({ real, label }, context) {
    holds<Equal<typeof context, ProgramContext>>();
    const fake = generator.forward(context.normal(["batch", 8]));
    holds<Equal<typeof fake, Value>>();
    // @ts-expect-error a symbol has no data
    context.uniform([1]).data;
    // @ts-expect-error no such input
    context.real;
    const { penalty } = trainer.minimize(ops.mean(ops.square(ops.subtract(fake, real))));
    return { fake, penalty, label };
  },
});
const result = await step.run({ real: new Float32Array(4), label: [0, 1] });
holds<Equal<typeof result, { readonly fake: Tensor; readonly penalty: Tensor; readonly label: Tensor }>>();
step.runSync({ real: [[1, 2]], label: Uint8Array.of(1) });
step.runSync({ real: tensor([[1, 2]]), label: Int32Array.of(1) });
// @ts-expect-error text is no number
step.run({ real: [["1", "2"]], label: [1] });
// @ts-expect-error the label is missing
step.run({ real: [[1, 2]] });
// @ts-expect-error no such input
step.run({ real: [[1, 2]], label: [1], weight: [1] });
// @ts-expect-error a symbol has no numbers outside of its program
step.run({ real: symbol, label: [1] });
// @ts-expect-error bytes are no type to compute with
spec([1], "u8");
program({
  inputs: {},
  // @ts-expect-error what a body gives are values
  body: () => ({ one: 1 }),
});

// Gradients: one for each argument; with data where all arguments have some.
const slope = grad((a, b) => ops.sum(ops.multiply(a, b)));
const eager = slope(tensor([1]), tensor([2]));
holds<Equal<typeof eager, readonly [Tensor<"f32">, Tensor<"f32">]>>();
const [value, [first]] = valueAndGrad((a) => ops.sum(a))(tensor([1]));
holds<Equal<typeof value, Tensor<"f32">>>();
holds<Equal<typeof first, Tensor<"f32">>>();
value.item();
const mixed = slope(tensor([1]), symbol);
holds<Equal<typeof mixed, readonly [Value, Value]>>();
// @ts-expect-error beside a symbol a tensor is recorded: its gradient has no data yet
mixed[0].data;
// @ts-expect-error an argument is a value
slope(1, 2);

// Checkpoints of loops.
await saveCheckpoint("a", { models: { generator }, minimizers: trainer, programs: { step }, state: { epoch: 1 } });
const state = await loadCheckpoint("a", { models: generator });
holds<Equal<typeof state, State>>();
// @ts-expect-error models are required
saveCheckpoint("a", { programs: step });
// @ts-expect-error a function is no state
saveCheckpoint("a", { models: generator, state: () => 1 });
