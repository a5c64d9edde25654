// How V8 keeps the arrays of a caller is left as it is. A file of its own: arrays that are refused elsewhere, whose elements are no
// numbers, change the code that reads values.
import { linear, sequential } from "carillon";
import { expect, test } from "vitest";
import { hasDoubles } from "../data/elements.js";

test.each<[string, number, (numbers: readonly number[]) => readonly (readonly number[])[]]>([
  ["a row by itself among lists of rows", 2, (row) => [row]],
  ["numbers, a row each, among lists of rows", 1, (numbers) => numbers.map((number) => [number])],
])("%s", (_, inputs, listed) => {
  const predictor = sequential(linear(inputs, 1)).initialize(1).predictor();
  const rows = Array.from({ length: 20_000 }, (__, index) => [index + 0.5, 1.5]);
  for (const row of rows) {
    predictor.run(row);
    predictor.run(listed(row));
  }
  expect(rows.filter((row) => !hasDoubles(row))).toHaveLength(0);
});
