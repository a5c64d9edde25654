import { expect, test } from "vitest";
import { checkRate, rateAt } from "../../lib/optim/schedule.js";

const at = { step: 7, steps: 10, epoch: 2 };

test("a number is its own rate", () => {
  expect(rateAt("sgd.lr", 0.25, at)).toBe(0.25);
  expect(checkRate("sgd.lr", 0)).toBe(0);
});

test("a schedule is asked with the place of the run", () => {
  expect(rateAt("sgd.lr", ({ step, steps, epoch }) => 100 * step + 10 * steps + epoch, at)).toBe(802);
  expect(rateAt("sgd.lr", () => 0, at)).toBe(0);
});

test.each([Number.NaN, -0.1, Number.POSITIVE_INFINITY, "0.1", undefined])("a schedule may not return %o", (value) => {
  expect(() => rateAt("adam.lr", () => value as number, at)).toThrow(
    expect.objectContaining({
      code: "ERR_OPTION",
      where: "adam.lr",
      message: expect.stringContaining("expected a number >= 0 from the schedule at step 7 for 'adam.lr'"),
    }),
  );
});

test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, "0.1", undefined, {}])("%o is no learning rate", (value) => {
  expect(() => checkRate("sgd.lr", value as number)).toThrow(
    expect.objectContaining({ code: "ERR_OPTION", where: "sgd.lr" }),
  );
});
