import { readFileSync } from "node:fs";
import { cosineDecay, exponentialDecay, oneCycle, polynomialDecay, type Schedule, stepDecay, warmup } from "carillon";
import { describe, expect, test } from "vitest";

// Made by make_schedules_fixture.py.
const { rates, cycles, keras } = JSON.parse(
  readFileSync(new URL("fixtures/schedules.json", import.meta.url), "utf8"),
) as {
  readonly rates: Readonly<Record<string, readonly number[]>>;
  readonly cycles: readonly { readonly steps: number; readonly warmup: number; readonly rates: readonly number[] }[];
  readonly keras: Readonly<Record<string, readonly number[]>>;
};

const SCHEDULES: Readonly<Record<string, Schedule>> = {
  stepDecay: stepDecay({ lr: 0.1, every: 7, factor: 0.3 }),
  exponentialDecay: exponentialDecay({ lr: 0.05, rate: 0.93 }),
  polynomialDecay: polynomialDecay({ lr: 0.2, steps: 30 }),
  "polynomialDecay squared": polynomialDecay({ lr: 0.2, steps: 30, power: 2 }),
  "polynomialDecay real": polynomialDecay({ lr: 0.2, steps: 30, power: 0.9 }),
  cosineDecay: cosineDecay({ lr: 0.1, end: 0.002, steps: 50 }),
  "cosineDecay restarts": cosineDecay({ lr: 0.1, end: 0.002, restarts: { period: 10 } }),
  "cosineDecay growing": cosineDecay({ lr: 0.1, restarts: { period: 5, factor: 2 } }),
  oneCycle: oneCycle({ max: 0.4, steps: 50 }),
  "oneCycle options": oneCycle({ max: 0.4, steps: 73, warmup: 0.21, startDivisor: 10, endDivisor: 50 }),
  "warmup constant": warmup(0.3, { steps: 5, from: 1 / 3 }),
  "warmup cosine": warmup(cosineDecay({ lr: 0.1, end: 0.001, steps: 30 }), { steps: 8, from: 0.25 }),
};

test("every schedule of the fixture is compared, and every schedule here", () => {
  expect(Object.keys(rates).sort()).toEqual(Object.keys(SCHEDULES).sort());
});

/*
 * PyTorch multiplies from step to step: at most 4 roundings of 2⁻⁵³ a step (cosine: its quotient of two sums), each carried
 * on; the closed form here adds fewer than 30. Where a rate is what remains of larger ones, they are relative to the first.
 */
test.each(Object.entries(SCHEDULES))("%s is PyTorch's", (name, schedule) => {
  const expected = rates[name] ?? [];
  expect(expected.length).toBeGreaterThan(10);
  const largest = Math.max(...expected);
  for (const [index, rate] of expected.entries()) {
    const value = schedule({ step: index + 1, steps: 1000, epoch: 1 });
    const bound = (4 * (index + 1) + 30) * 2 ** -53 * largest;
    expect(Math.abs(value - rate), `step ${index + 1}: ${value}, ${rate}`).toBeLessThanOrEqual(bound);
  }
});

test.each(cycles)(
  "oneCycle of $steps steps, a share of $warmup upwards",
  ({ steps, warmup: share, rates: expected }) => {
    const schedule = oneCycle({ max: 1, steps, warmup: share });
    const seen = expected.map((_, index) => schedule({ step: index + 1, steps: 1000, epoch: 1 }));
    for (const [index, rate] of expected.entries()) {
      expect(Math.abs((seen[index] ?? Number.NaN) - rate), `step ${index + 1}`).toBeLessThanOrEqual(30 * 2 ** -53);
    }
    if (steps === 20 && share === 0) expect(seen[6]).toBeCloseTo(0.727, 4);
  },
);

const KERAS: Readonly<Record<string, Schedule>> = {
  exponentialDecay: exponentialDecay({ lr: 0.1, rate: 0.5, every: 7 }),
  "exponentialDecay staircase": exponentialDecay({ lr: 0.1, rate: 0.5, every: 7, staircase: true }),
  polynomialDecay: polynomialDecay({ lr: 0.1, end: 0.01, steps: 25, power: 2 }),
  cosineDecay: cosineDecay({ lr: 0.1, end: 0.005, steps: 25 }),
  "cosineDecay warm": warmup(cosineDecay({ lr: 0.1, end: 0.005, steps: 25 }), { steps: 8, from: 0.2 }),
  "cosineDecay restarts": cosineDecay({ lr: 0.1, end: 0.005, restarts: { period: 5, factor: 2 } }),
};

// In float32: fewer than 16 roundings and those of its cos, relative to the first rate.
test.each(Object.entries(KERAS))("%s is Keras'", (name, schedule) => {
  const expected = keras[name] ?? [];
  expect(expected).toHaveLength(40);
  for (const [index, rate] of expected.entries()) {
    const value = schedule({ step: index + 1, steps: 1000, epoch: 1 });
    expect(Math.abs(value - rate), `step ${index + 1}: ${value}, ${rate}`).toBeLessThanOrEqual(16 * 2 ** -24 * 0.1);
  }
});

const at = (step: number, steps: number, epoch = 1) => ({ step, steps, epoch });

test("steps left out are those of the run", () => {
  for (const step of [1, 7, 20]) {
    expect(polynomialDecay({ lr: 1 })(at(step, 20))).toBe(polynomialDecay({ lr: 1, steps: 20 })(at(step, 99)));
    expect(cosineDecay({ lr: 1 })(at(step, 20))).toBe(cosineDecay({ lr: 1, steps: 20 })(at(step, 99)));
    expect(oneCycle({ max: 1 })(at(step, 20))).toBe(oneCycle({ max: 1, steps: 20 })(at(step, 99)));
  }
});

test("the end is kept", () => {
  expect(polynomialDecay({ lr: 1, end: 0.25, steps: 4 })(at(500, 1000))).toBe(0.25);
  expect(cosineDecay({ lr: 1, end: 0.25, steps: 4 })(at(500, 1000))).toBe(0.25);
  expect(oneCycle({ max: 1, steps: 10, startDivisor: 4, endDivisor: 8 })(at(500, 1000))).toBe(1 / 32);
});

test("an increasing polynomial needs no other function", () => {
  expect(polynomialDecay({ lr: 0, end: 1, steps: 4 })(at(3, 9))).toBe(0.5);
});

test("epochs count as periods, whatever their steps", () => {
  const steps = stepDecay({ lr: 1, every: { epochs: 2 }, factor: 0.5 });
  expect([1, 2, 3, 4, 5].map((epoch) => steps(at(100 * epoch, 1000, epoch)))).toEqual([1, 1, 0.5, 0.5, 0.25]);
  const exponential = exponentialDecay({ lr: 1, rate: 0.25, every: { epochs: 2 } });
  expect([1, 2, 3].map((epoch) => exponential(at(7, 1000, epoch)))).toEqual([1, 0.5, 0.25]);
});

test("a staircase waits for the end of a period", () => {
  const schedule = exponentialDecay({ lr: 8, rate: 0.5, every: 3, staircase: true });
  expect([1, 2, 3, 4, 6, 7].map((step) => schedule(at(step, 99)))).toEqual([8, 8, 8, 4, 4, 2]);
});

describe("warm-up", () => {
  test("rises by equal amounts unless told, and is never 0", () => {
    const schedule = warmup(1, { steps: 3 });
    const rates = [1, 2, 3, 4, 5].map((step) => schedule(at(step, 99)));
    for (const [index, rate] of rates.entries()) expect(rate).toBeCloseTo(Math.min((index + 1) / 4, 1), 15);
  });

  test("the schedule runs over the steps that are left", () => {
    const inner = cosineDecay({ lr: 1 });
    const schedule = warmup(inner, { steps: 10 });
    expect(schedule(at(11, 50))).toBe(inner(at(1, 40)));
    expect(schedule(at(50, 50))).toBe(inner(at(40, 40)));
    expect(warmup(inner, { steps: 10 })(at(10, 5))).toBeGreaterThan(0); // longer than the run
  });

  test("may be put around any function, and around itself", () => {
    const seen: number[] = [];
    const spy: Schedule = ({ step }) => {
      seen.push(step);
      return 1;
    };
    const schedule = warmup(spy, { steps: 2, from: 0 });
    expect([1, 2, 3, 4].map((step) => schedule(at(step, 9)))).toEqual([0, 0.5, 1, 1]);
    expect(seen).toEqual([1, 1, 1, 2]);
    expect(warmup(schedule, { steps: 1, from: 1 })(at(3, 9))).toBe(0.5);
  });
});

test("one cycle without a way down, and with the peak at its first step, where PyTorch divides by 0", () => {
  expect(oneCycle({ max: 1, warmup: 1 })(at(10, 10))).toBe(1);
  expect(oneCycle({ max: 1, warmup: 1 })(at(1, 1))).toBe(1);
  expect(oneCycle({ max: 1, warmup: 0.1 })(at(1, 10))).toBe(1);
  expect(oneCycle({ max: 1, warmup: 0.5 })(at(1, 2))).toBe(1);
});

test("restarts of a real factor", () => {
  const schedule = cosineDecay({ lr: 1, restarts: { period: 4, factor: 1.5 } });
  expect(schedule(at(5, 99))).toBe(1);
  expect(schedule(at(11, 99))).toBe(1);
  expect(schedule(at(10, 99))).toBeLessThan(0.1);
});

test.each<[string, () => unknown, string, string]>([
  ["stepDecay", () => stepDecay({ lr: -1, every: 1 }), "ERR_OPTION", "stepDecay.lr"],
  ["stepDecay", () => stepDecay({ lr: 1, every: 0 }), "ERR_OPTION", "stepDecay.every"],
  ["stepDecay", () => stepDecay({ lr: 1, every: { epochs: 0.5 } }), "ERR_OPTION", "stepDecay.every.epochs"],
  ["stepDecay", () => stepDecay({ lr: 1, every: { step: 1 } as never }), "ERR_UNKNOWN_OPTION", "stepDecay.every.step"],
  ["stepDecay", () => stepDecay({ lr: 1, every: "2" as never }), "ERR_OPTION", "stepDecay.every"],
  ["stepDecay", () => stepDecay({ lr: 1, every: null as never }), "ERR_OPTION", "stepDecay.every"],
  ["stepDecay", () => stepDecay({ lr: 1, every: 1, factor: 0 }), "ERR_OPTION", "stepDecay.factor"],
  ["stepDecay", () => stepDecay({ lr: 1, every: 1, gamma: 1 } as never), "ERR_UNKNOWN_OPTION", "stepDecay.gamma"],
  ["exponentialDecay", () => exponentialDecay({ lr: 1, rate: -1 }), "ERR_OPTION", "exponentialDecay.rate"],
  [
    "exponentialDecay",
    () => exponentialDecay({ lr: 1, rate: 1, staircase: 1 as never }),
    "ERR_OPTION",
    "exponentialDecay.staircase",
  ],
  ["polynomialDecay", () => polynomialDecay({ lr: 1, power: 0 }), "ERR_OPTION", "polynomialDecay.power"],
  ["polynomialDecay", () => polynomialDecay({ lr: 1, steps: 0 }), "ERR_OPTION", "polynomialDecay.steps"],
  ["polynomialDecay", () => polynomialDecay({ lr: 1, end: Number.NaN }), "ERR_OPTION", "polynomialDecay.end"],
  ["cosineDecay", () => cosineDecay({ lr: 1, restarts: { period: 0 } }), "ERR_OPTION", "cosineDecay.restarts.period"],
  [
    "cosineDecay",
    () => cosineDecay({ lr: 1, restarts: { period: 2, factor: 0.5 } }),
    "ERR_OPTION",
    "cosineDecay.restarts.factor",
  ],
  [
    "cosineDecay",
    () => cosineDecay({ lr: 1, steps: 3, restarts: { period: 2 } } as never),
    "ERR_OPTION",
    "cosineDecay.steps",
  ],
  ["cosineDecay", () => cosineDecay({} as never), "ERR_OPTION", "cosineDecay.lr"],
  ["oneCycle", () => oneCycle({ max: 1, warmup: 1.1 }), "ERR_OPTION", "oneCycle.warmup"],
  ["oneCycle", () => oneCycle({ max: 1, startDivisor: 0 }), "ERR_OPTION", "oneCycle.startDivisor"],
  ["oneCycle", () => oneCycle({ max: 1, endDivisor: 0.5 }), "ERR_OPTION", "oneCycle.endDivisor"],
  ["warmup", () => warmup("1" as never, { steps: 1 }), "ERR_OPTION", "warmup.schedule"],
  ["warmup", () => warmup(1, { steps: 0 }), "ERR_OPTION", "warmup.steps"],
  ["warmup", () => warmup(1, { steps: 1, from: 2 }), "ERR_OPTION", "warmup.from"],
])("%s refuses what makes no sense (%#)", (_, make, code, where) => {
  expect(make).toThrow(expect.objectContaining({ code, where }));
});
