// Which parameters model-wide penalties, decay, bounds and muon reach: by role, not by rank. Gradients are 0, so that only what the
// role brings along moves anything.
import {
  adamw,
  defineLayer,
  defineOptimizer,
  fit,
  l2,
  lion,
  maxNorm,
  mse,
  muon,
  type Optimizer,
  ops,
  type ParameterRole,
  type ParameterSpec,
  parameter,
  type Regularizers,
  sequential,
  sgd,
} from "carillon";
import { expect, test } from "vitest";

const ROLES: readonly ParameterRole[] = ["weight", "bias", "scale", "table"];

/** One parameter of every role, [1, 4] and [4] where it may be a vector, all elements 1. */
function everyRole(own: Partial<Record<ParameterRole, Regularizers>> = {}) {
  const matrices = ROLES.map((role): [string, ParameterSpec] => [
    `${role}Matrix`,
    parameter([1, 4], { role, init: 1, regularizer: own[role] }),
  ]);
  const vectors = ROLES.filter((role) => role !== "table").map((role): [string, ParameterSpec] => [
    `${role}Vector`,
    parameter([4], { role, init: 1, regularizer: own[role] }),
  ]);
  return defineLayer({
    kind: "all",
    inputs: 4,
    outputs: 4,
    parameters: Object.fromEntries([...matrices, ...vectors]),
    forward: (x, parameters) =>
      Object.values(parameters).reduce((sum, each) => ops.add(sum, ops.multiply(0, ops.reshape(each, [4]))), x),
  });
}

/** The first element of each parameter after one step. */
async function stepped(
  optimizer: Optimizer,
  options: object = {},
  own: Partial<Record<ParameterRole, Regularizers>> = {},
): Promise<Readonly<Record<string, number | undefined>>> {
  const model = sequential(everyRole(own));
  await fit(model, { data: { x: [[0, 0, 0, 0]], y: [[0, 0, 0, 0]] }, loss: mse(), optimizer, epochs: 1, ...options });
  return Object.fromEntries(
    [...model.weights()].map(([name, { data }]) => [name.replace(/.*\./, ""), data[0]] as const),
  );
}

const still = {
  weightMatrix: 1,
  weightVector: 1,
  biasMatrix: 1,
  biasVector: 1,
  scaleMatrix: 1,
  scaleVector: 1,
  tableMatrix: 1,
};

test("model-wide penalties reach weights, those of biases reach biases, whatever their rank", async () => {
  const options = { regularizer: l2(0.5), biasRegularizer: l2(1) };
  const expected = { ...still, weightMatrix: 0.75, weightVector: 0.75, biasMatrix: 0.5, biasVector: 0.5 };
  expect(await stepped(sgd({ lr: 0.5 }), options)).toEqual(expected);
  const own = { scale: l2(0.25), table: l2(1.5), bias: null };
  expect(await stepped(sgd({ lr: 0.5 }), options, own)).toEqual({
    ...expected,
    ...{ biasMatrix: 1, biasVector: 1, scaleMatrix: 0.875, scaleVector: 0.875, tableMatrix: 0.25 },
  });
});

test("a model-wide bound reaches the rows of weights; a vector is one row, a table has its own", async () => {
  const options = { regularizer: maxNorm(1) }; // of norm 2
  expect(await stepped(sgd({ lr: 0.5 }), options)).toEqual({ ...still, weightMatrix: 0.5, weightVector: 0.5 });
  const own = { table: maxNorm(0.5) };
  expect(await stepped(sgd({ lr: 0.5 }), {}, own)).toEqual({ ...still, tableMatrix: 0.25 });
});

const defined = defineOptimizer({
  kind: "still",
  lr: 0.5,
  weightDecay: 0.5,
  update: ({ parameter: theta, gradient, rate }) => ({ parameter: ops.subtract(theta, ops.multiply(rate, gradient)) }),
});

test.each([
  ["adamw", adamw({ lr: 0.5, weightDecay: 0.5 })],
  ["lion", lion({ lr: 0.5, weightDecay: 0.5 })],
  ["one of operations", defined],
])("decay of %s reaches weights alone", async (_name, optimizer) => {
  expect(await stepped(optimizer)).toEqual({ ...still, weightMatrix: 0.75, weightVector: 0.75 });
  const bounded = await stepped(optimizer, { regularizer: maxNorm(0.5) });
  expect(bounded).toEqual({ ...still, weightMatrix: 0.25, weightVector: 0.25 });
});

test("as a framework, decay reaches everything", async () => {
  const all = await stepped(adamw({ lr: 0.5, weightDecay: 0.5, compat: "pytorch" }));
  expect(new Set(Object.values(all))).toEqual(new Set([0.75]));
});

test("an optimizer of operations is told the role", async () => {
  const seen = new Map<string, ParameterRole>();
  const asked = defineOptimizer({
    kind: "asked",
    lr: 0.5,
    update({ name, role, parameter: theta, gradient, rate }) {
      seen.set(name.replace(/.*\.|Matrix|Vector/g, ""), role);
      return { parameter: ops.subtract(theta, ops.multiply(rate, gradient)) };
    },
  });
  await stepped(asked);
  expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(ROLES.map((role) => [role, role])));
});

test.each(["bias", "scale", "table"] as const)("muon leaves the matrix of a %s to others", async (role) => {
  const layer = defineLayer({
    kind: "one",
    inputs: 4,
    outputs: 4,
    parameters: { own: parameter([1, 4], { role }) },
    forward: (x, { own }) => ops.multiply(x, ops.reshape(own, [4])),
  });
  const data = { x: [[0, 0, 0, 0]], y: [[0, 0, 0, 0]] };
  await expect(fit(sequential(layer), { data, loss: mse(), optimizer: muon(), epochs: 1 })).rejects.toMatchObject({
    code: "ERR_SHAPE",
    message: `expected a weight matrix for 'muon' but 'one1.own' is a ${role}: give it to another optimizer`,
  });
});

test("defaults: by rank as ever; a scale begins at 1, a table with rows of norm about 1", () => {
  expect([parameter([2, 2]).role, parameter([2]).role, parameter([]).role]).toEqual(["weight", "bias", "bias"]);
  expect(parameter([2, 3], { role: "scale" }).init.resolve([2, 3])).toEqual({ kind: "constant", value: 1 });
  const drawn = parameter([1000, 16], { role: "table" }).init.resolve([1000, 16]);
  expect(drawn).toEqual({ kind: "normal", mean: 0, deviation: 0.25 });
});

/** Calls as JavaScript may make them. */
const made = (call: (...given: readonly never[]) => unknown, ...given: readonly unknown[]): unknown =>
  call(...(given as readonly never[]));

test.each<[string, () => unknown, string]>([
  ["another role", () => made(parameter, [2], { role: "gamma" }), "parameter.role"],
  ["a table without rows", () => parameter([2], { role: "table" }), "parameter.role"],
  ["a bound of a scale", () => parameter([2, 2], { role: "scale", regularizer: maxNorm(1) }), "parameter.regularizer"],
  [
    "a parameter without a role",
    () =>
      made(defineLayer, {
        kind: "odd",
        outputs: "same",
        parameters: { own: { ...parameter([2]), role: undefined } },
        forward: (x: unknown) => x,
      }),
    "odd.parameters.own",
  ],
])("%s is refused", (_name, call, where) => {
  expect(call).toThrow(expect.objectContaining({ code: "ERR_OPTION", where }));
});
