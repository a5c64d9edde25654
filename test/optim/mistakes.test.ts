// The mistakes that optimizers in this language make (PEERS), each caught here by a number that the mistake changes, and
// properties that every optimizer must have.
import {
  adadelta,
  adam,
  adamax,
  amsgrad,
  lion,
  nadam,
  type Optimizer,
  radam,
  rmsprop,
  type Schedule,
  sgd,
} from "carillon";
import { describe, expect, test } from "vitest";
import { NATIVE } from "./every.js";
import { path } from "./stepper.js";

/** Steps that a weight at 0 takes down these gradients, one a step. */
function steps(optimizer: Optimizer, gradients: readonly number[]): number[] {
  const places = path(optimizer, [0], gradients.length, (_, step) => [gradients[step - 1] ?? Number.NaN]);
  const all = [0, ...places.map(([place = Number.NaN]) => place)];
  return gradients.map((_, index) => (all[index + 1] ?? Number.NaN) - (all[index] ?? Number.NaN));
}

/** Relative distance that a few roundings to float32 explain. */
const FEW_ROUNDINGS = 16 * 2 ** -24;

function expectSteps(optimizer: Optimizer, gradients: readonly number[], expected: readonly number[]): void {
  for (const [index, step] of steps(optimizer, gradients).entries()) {
    const wanted = expected[index] ?? Number.NaN;
    const total = expected.slice(0, index + 1).reduce((sum, each) => sum + Math.abs(each), 0);
    expect(Math.abs(step - wanted), `step ${index + 1}: ${step} for ${wanted}`).toBeLessThanOrEqual(
      FEW_ROUNDINGS * total,
    );
  }
}

describe("a gradient that stays", () => {
  const gradients = [0, 1, -1, 0.1, 1 / 3, 0.7, 1e-3, 1e-18, 3e3, 1e15];
  const forms = [0.5, 0.8, 0.9, 0.99].flatMap((rho) =>
    [0, 0.9].flatMap((momentum) =>
      (["inside", "outside"] as const).map((placement) => ({ rho, momentum, epsilon: { value: 1e-30, placement } })),
    ),
  );

  test.each(forms)("does not make centered rmsprop NaN: %o", (options) => {
    // Each of the gradients has a weight of its own. After 1,000 steps ρᵗ is below a rounding of V − m², whose sign
    // then hangs on the roundings of ρ and 1 − ρ: without the maximum, ρ = 0.8 gives NaN here.
    const start = gradients.map(() => 1);
    const places = path(rmsprop({ ...options, centered: true }), start, 1000, () => gradients);
    expect(places.flatMap((theta) => [...theta]).filter((value) => !Number.isFinite(value))).toEqual([]);
  });

  test.each(Object.keys(NATIVE) as (keyof typeof NATIVE)[])("of 0 moves nothing under %s", (kind) => {
    const places = path(NATIVE[kind]({ lr: 0.5 }), [1, -2, 0.3], 20, () => [0, 0, 0]);
    const decay = kind === "adamw" ? (1 - 0.5 * 0.01) ** 20 : 1;
    const [a = 0, b = 0, c = 0] = places.at(-1) ?? [];
    expect([a, b / -2, c / Math.fround(0.3)].map((share) => Math.abs(share - decay) < 1e-5)).toEqual([
      true,
      true,
      true,
    ]);
  });
});

describe("adadelta", () => {
  test("divides by the new average of squares", () => {
    // d₁ = √ε/√((1 − ρ)·g² + ε)·g; by the old one, 0, the first step would be g itself.
    const [rho, epsilon, g] = [0.9, 1e-6, 2];
    const s1 = (1 - rho) * g * g;
    const d1 = (Math.sqrt(epsilon) / Math.sqrt(s1 + epsilon)) * g;
    const s2 = rho * s1 + (1 - rho) * g * g;
    const d2 = (Math.sqrt((1 - rho) * d1 * d1 + epsilon) / Math.sqrt(s2 + epsilon)) * g;
    expectSteps(adadelta({ rho, epsilon, lr: 1 }), [g, g], [-d1, -d2]);
  });
});

describe("adam", () => {
  // With one gradient g all along V̂ = g and Ŝ = g²: every step is η·g/(|g| + ε).
  test.each([
    ["outside", 2 / (2 + 0.25)],
    ["inside", 2 / Math.sqrt(4 + 0.25)],
  ] as const)("corrects both averages for their start, epsilon %s", (placement, share) => {
    const optimizer = adam({ lr: 0.5, epsilon: { value: 0.25, placement } });
    expectSteps(
      optimizer,
      Array.from({ length: 30 }, () => 2),
      Array.from({ length: 30 }, () => -0.5 * share),
    );
  });

  test("as Keras adds epsilon to the uncorrected root", () => {
    const expected = [1, 2, 3].map((t) => {
      const root = Math.sqrt(1 - 0.999 ** t);
      return (-0.5 * root * 2) / (2 * root + 0.25);
    });
    expectSteps(adam({ lr: 0.5, epsilon: 0.25, compat: "keras" }), [2, 2, 2], expected);
  });

  test("a beta of 0 is one: no averaging, the sign of the gradient", () => {
    expectSteps(adam({ lr: 0.25, beta1: 0, beta2: 0 }), [3, -0.5, 7, -7], [-0.25, 0.25, -0.25, 0.25]);
  });
});

test("amsgrad keeps the largest average of squares, uncorrected", () => {
  const [beta1, beta2, lr] = [0, 0.5, 0.1];
  const gradients = [4, 1, 1, 1, 1];
  let s = 0;
  let largest = 0;
  const expected = gradients.map((g, index) => {
    s = beta2 * s + (1 - beta2) * g * g;
    largest = Math.max(largest, s);
    return (-lr * g) / (Math.sqrt(largest / (1 - beta2 ** (index + 1))) + 1e-8);
  });
  expectSteps(amsgrad({ beta1, beta2, lr }), gradients, expected);
});

test("nadam looks ahead by the momentum of the next step", () => {
  // With one gradient 1 all along and β₂ = 0: η·(μₜ₊₁·(1 − β₁ᵗ)/(1 − Πₜ₊₁) + (1 − μₜ)/(1 − Πₜ)).
  for (const momentumDecay of [0, 0.004, 0.5, 1, 2.5]) {
    const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    let product = 1;
    const expected = Array.from({ length: 20 }, (_, index) => {
      const t = index + 1;
      product *= mu(t);
      return -0.1 * ((mu(t + 1) * (1 - 0.9 ** t)) / (1 - product * mu(t + 1)) + (1 - mu(t)) / (1 - product));
    });
    expectSteps(
      nadam({ lr: 0.1, beta2: 0, momentumDecay }),
      Array.from({ length: 20 }, () => 1),
      expected,
    );
  }
});

test("nadam's scalars stay right in step 100,000, where the product of momenta has vanished", () => {
  const { scalars } = nadam();
  const [ahead = 0, now = 0, correction = 0] = scalars?.(100_000) ?? [];
  const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004));
  expect(Math.abs(ahead / mu(100_001) - 1)).toBeLessThan(1e-14);
  expect(Math.abs(now / (1 - mu(100_000)) - 1)).toBeLessThan(1e-13);
  expect(correction).toBe(1);
});

test("nadam's products with a momentum near 1 are those of all terms, also asked far ahead and back", () => {
  const { scalars } = nadam({ beta1: 0.9999, momentumDecay: 1 });
  const term = (t: number): number => 0.9999 * (1 - 0.5 * 0.96 ** t);
  const product = (t: number): number =>
    Array.from({ length: t }, (_, i) => term(i + 1)).reduce((all, one) => all * one, 1);
  for (const t of [5000, 3, 4999, 5001, 1, 1024, 20_000, 2047]) {
    const [ahead = 0, now = 0] = scalars?.(t) ?? [];
    expect(Math.abs((ahead * (1 - product(t + 1))) / term(t + 1) - 1)).toBeLessThan(1e-12);
    expect(Math.abs((now * (1 - product(t))) / (1 - term(t)) - 1)).toBeLessThan(1e-10);
  }
});

test("radam leaves the root out until it rests on more than five steps", () => {
  // β₂ = 0.999: ρₜ is 5.0 in step 5 and 6.0 in step 6. Before, a step is η·g, however large g is.
  const all = steps(radam({ lr: 0.01 }), [100, 100, 100, 100, 100, 100]);
  expect(all.slice(0, 5).map((step) => Math.abs(step + 1) < 1e-4)).toEqual([true, true, true, true, true]);
  expect(Math.abs(all[5] ?? 1)).toBeLessThan(0.01);
  expect(radam({ beta2: 0.5 }).scalars?.(1000)).toEqual([1, 0]);
});

test("adamax keeps the decaying maximum, epsilon outside it or in it", () => {
  const correction = (t: number): number => 1 - 0.9 ** t;
  const m = [0.1 * 4, 0.9 * 0.1 * 4 + 0.1];
  const outside = [4 + 0.5, 0.999 * 4 + 0.5];
  const inside = [4 + 0.5, 0.999 * 4.5];
  const expected = (u: readonly number[]): number[] =>
    u.map((one, i) => (-0.1 * (m[i] ?? 0)) / correction(i + 1) / one);
  expectSteps(adamax({ lr: 0.1, epsilon: 0.5 }), [4, 1], expected(outside));
  expectSteps(adamax({ lr: 0.1, epsilon: { value: 0.5, placement: "inside" } }), [4, 1], expected(inside));
});

test("lion steps by the sign, and not at all for 0", () => {
  // V = 0.01·g: −(0.9·V + 0.1·g) has the sign of the new gradient, until the momentum outweighs it.
  expectSteps(lion({ lr: 0.5 }), [0, 3, -1e-3, 0, -2], [0, -0.5, -0.5, -0.5, 0.5]);
});

describe("the rate", () => {
  const halved: Schedule = ({ step }) => (step === 1 ? 1 : 0.5);

  test("stands outside the velocity, as in PyTorch, or inside, as in Keras", () => {
    const options = { rho: 0, momentum: 0.5, epsilon: 1e-12, lr: halved };
    // d = 1: B = 1, 1.5; steps 1·1, 0.5·1.5. With the rate inside B = 1, 0.5·1 + 0.5·1.
    expectSteps(rmsprop(options), [1, 1], [-1, -0.75]);
    expectSteps(rmsprop({ ...options, rateInside: true }), [1, 1], [-1, -1]);
    expectSteps(sgd({ momentum: 0.5, lr: halved }), [1, 1], [-1, -0.75]);
  });

  test("of 0 is a rate", () => {
    for (const make of Object.values(NATIVE)) expect(make({ lr: 0 }).lr).toBe(0);
  });
});

describe.each(Object.keys(NATIVE) as (keyof typeof NATIVE)[])("%s finds the minimum", (kind) => {
  /** Rates at which 2,000 steps suffice; AdaGrad's falls as it goes, the signs of Lion and the like need a small last step. */
  const RATES = { sgd: 0.1, sgdMomentum: 0.1, adagrad: 0.5, adadelta: 20 } as Record<string, number>;
  const rate = RATES[kind] ?? 0.02;
  const falling: Schedule = ({ step }) => (rate * (2000 - step)) / 2000;

  test("of a parabola", () => {
    const places = path(NATIVE[kind]({ lr: falling }), [2, -1], 2000, ([x = 0, y = 0]) => [x - 0.5, 4 * (y + 0.25)]);
    const [x = Number.NaN, y = Number.NaN] = places.at(-1) ?? [];
    // AdamW's minimum is not that of the loss: it decays, by λ = 0.01.
    const slack = kind === "adamw" ? 0.02 : 1e-3;
    expect(Math.max(Math.abs(x - 0.5), Math.abs(y + 0.25))).toBeLessThan(slack);
  });

  test("of Rosenbrock's valley, or at least far down it", () => {
    const loss = (x: number, y: number): number => (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    // The slope of the start is 233: steps without a root, and so RAdam's first, must be short.
    const own = { sgd: 0.001, sgdMomentum: 0.001, adamax: 0.05 } as Record<string, number>;
    const lr = own[kind] ?? rate;
    const slow: Schedule = ({ step }) => (step <= 10 ? 0.001 : (lr * (3000 - step)) / 3000);
    const places = path(NATIVE[kind]({ lr: slow }), [-1.2, 1], 3000, ([x = 0, y = 0]) => [
      -2 * (1 - x) - 400 * x * (y - x * x),
      200 * (y - x * x),
    ]);
    const [x = Number.NaN, y = Number.NaN] = places.at(-1) ?? [];
    expect(loss(x, y)).toBeLessThan(0.05 * loss(-1.2, 1));
  });
});
