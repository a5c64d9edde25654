import type { AnyModel } from "carillon";
import { describe, expect, test } from "vitest";
import { distanceOf, type Numbers } from "./norm_runs.js";

/** What a framework's run came to in float64, and how far its own run in float32 ended from that. */
interface Run {
  readonly before: readonly number[];
  readonly first: Numbers;
  readonly last: Numbers;
  readonly distance: number;
}

/** Runs of a fixture, and ours of the same networks. */
interface Runs<C extends Run> {
  readonly fixture: { readonly steps: number; readonly cases: readonly C[] };
  readonly nameOf: (one: C) => string;
  readonly networkOf: (one: C) => AnyModel;
  readonly rowsOf: (one: C) => unknown;
  readonly predicted: (model: AnyModel, x: unknown) => Promise<readonly number[]>;
  readonly trained: (one: C, steps: number) => Promise<Numbers>;
}

/**
 * Each run of a framework: first answers and one step are within so many units of 2⁻²⁴ of the run in float64, and the last step ends no further from it than twice the
 * framework's own run in float32 does.
 */
export function describeRuns<C extends Run>(runs: Runs<C>, units: { readonly answers: number; readonly step: number }) {
  const { fixture, nameOf, networkOf, rowsOf, predicted, trained } = runs;
  describe.each(fixture.cases.map((one) => ({ name: nameOf(one), one })))("$name", ({ one }) => {
    test("answers", async () => {
      const answers = await predicted(networkOf(one), rowsOf(one));
      const off = one.before.map((value, i) => Math.abs(value - (answers[i] ?? Number.NaN)));
      expect(answers.length).toBe(one.before.length);
      expect(Math.max(...off)).toBeLessThan(2 ** -24 * units.answers);
    });
    test("one step", async () => {
      expect(distanceOf(await trained(one, 1), one.first)).toBeLessThan(2 ** -24 * units.step);
    });
    test(`${fixture.steps} steps`, async () => {
      expect(distanceOf(await trained(one, fixture.steps), one.last)).toBeLessThan(2 * one.distance);
    });
  });
}
