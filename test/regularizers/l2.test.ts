import { expect, test } from "vitest";
import { l2 } from "../../lib/regularizers/index.js";

test("l2 keeps its factor", () => {
  expect(l2(1e-4)).toEqual({ kind: "l2", lambda: 1e-4 });
  expect(l2(0)).toHaveProperty("lambda", 0);
  expect(Object.isFrozen(l2(1))).toBe(true);
});

test.each([-1e-9, Number.NaN, Number.POSITIVE_INFINITY, "0.1", { lambda: 0.1 }, undefined, null])(
  "l2(%o) is refused",
  (value) => {
    const call: (lambda: never) => unknown = l2;
    expect(() => call(value as never)).toThrow(
      expect.objectContaining({ code: "ERR_OPTION", where: "l2.lambda", message: expect.stringContaining(">= 0") }),
    );
  },
);
