// Every optimizer and preset against PyTorch and Keras: 200 steps, compared with the same arithmetic in float64. The
// yardstick is the framework's own float32 run: rounding alone separates it from its float64 run.
import { adam, type Optimizer, type Partition, partition } from "carillon";
import { describe, expect, test } from "vitest";
import { nativeInfo } from "../../lib/binding/native.js";
import { OPTIMIZERS } from "./every.js";
import { CASES, type Case, distance, flatStart, KEPT, type Problem, run, trajectory } from "./trajectory.js";

function make({ optimizer, options }: Case): Optimizer | Partition {
  const made = OPTIMIZERS[optimizer]?.(options);
  if (made === undefined) throw new Error(`no optimizer '${optimizer}'`);
  // The fixture trains biases, which Muon does not take, by Adam.
  return optimizer === "muon"
    ? partition([
        ["*Bias", adam()],
        ["*", made],
      ])
    : made;
}

/** Half a unit in the last place, relative: what one rounding to float32 may lose. */
const ROUNDING = 2 ** -24;

/** Roundings on the longest way from a gradient to a step, with those of the constants η, β₁, 1 − β₁, β₂, 1 − β₂, ε. */
const ROUNDINGS_A_STEP = 16;

/**
 * What float32 may cost in t steps: each rounds θ once, in directions that do not conspire (√t), and goes a way that is
 * itself rounded ROUNDINGS_A_STEP times (the way between kept steps, a lower bound of it). Counts where the framework
 * was lucky; otherwise four times its error is larger.
 */
function roundingOnly(problem: Problem, float64: readonly ArrayLike<number>[], index: number): number {
  let way = 0;
  let last: ArrayLike<number> = flatStart(problem);
  for (const place of float64.slice(0, index + 1)) {
    way += distance(place, last);
    last = place;
  }
  const size = distance(last, new Float64Array(last.length));
  const t = KEPT[index] ?? 0;
  return ROUNDING * (Math.sqrt(t) * size + ROUNDINGS_A_STEP * way);
}

test("the fixture covers every native rule and every optimizer", () => {
  const rules = CASES.map((each) => make(each)).map((made) => ("rule" in made ? made.rule : null));
  expect(nativeInfo.optimizers.filter((rule) => !rules.includes(rule))).toEqual([]);
  expect([...new Set(CASES.map(({ optimizer }) => optimizer))].sort()).toEqual(Object.keys(OPTIMIZERS).sort());
});

describe.each<Problem>(["gradients", "network"])("%s", (problem) => {
  test.each(CASES.map((each) => [each.name, each.framework, each] as const))("%s (%s)", (_, __, each) => {
    const float64 = trajectory(each, problem, "float64");
    const float32 = trajectory(each, problem, "float32");
    const ours = run(make(each), problem);
    const errors = KEPT.map((step, index) => {
      const reference = float64[index] ?? [];
      const bound = Math.max(4 * distance(float32[index] ?? [], reference), roundingOnly(problem, float64, index));
      return { step, error: distance(ours[index] ?? [], reference), bound };
    });
    expect(errors.filter(({ error, bound }) => !(error <= bound))).toEqual([]);
  });
});
