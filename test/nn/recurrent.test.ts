// Recurrent layers: runs of PyTorch and Keras, and what they promise beside.
import { tensor } from "carillon";
import { describe, expect, test } from "vitest";
import { distanceOf } from "./norm_runs.js";
import { fixture, nameOf, networkOf, trained } from "./recurrent_runs.js";

const fixed = fixture.cases.filter(({ lengths }) => !lengths);

/*
 * One step rounds every number some 200 times (sums of 8, functions of 2 ulp, six steps in a row and back, 8 rows): 2⁻²⁴·200 of numbers below 4,
 * at most 700 of them. 100 steps end no further from the run in float64 than twice the framework's own run in float32 does.
 */
describe.each(fixed.map((one) => ({ name: nameOf(one), one })))("$name", ({ one }) => {
  test("answers", async () => {
    const { data } = await networkOf(one).predict(tensor(fixture.x));
    const off = one.before.map((value, i) => Math.abs(value - (data[i] ?? Number.NaN)));
    expect(data.length).toBe(one.before.length);
    expect(Math.max(...off)).toBeLessThan(2 ** -24 * 40);
  });
  test("one step", async () => {
    expect(distanceOf(await trained(one, 1), one.first)).toBeLessThan(2 ** -24 * 200);
  });
  test("100 steps", async () => {
    expect(distanceOf(await trained(one, fixture.steps), one.last)).toBeLessThan(2 * one.distance);
  });
});
