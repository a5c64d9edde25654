import { expect, test } from "vitest";
import { COMMANDS, parseCommand, UsageError, usage } from "../../bench/command.js";

const suites = ["gemm", "train"];

test("a suite with all its options", () => {
  const args = ["gemm", "--json", "out.json", "--seconds", "0.5", "--threads", "1,4", "--only", "^DW", "--quick"];
  const { only, ...rest } = parseCommand(args, suites);
  expect(rest).toEqual({ suite: "gemm", json: "out.json", seconds: 0.5, threads: [1, 4], quick: true });
  expect(only?.test("dW 32: 64-64")).toBe(true);
  expect(only?.test("forward dW")).toBe(false);
});

test("what is not said", () => {
  expect(parseCommand(["train"], suites)).toEqual({
    suite: "train",
    json: undefined,
    seconds: undefined,
    threads: [1, 2],
    only: undefined,
    quick: false,
  });
});

test("of all suites the folder for the reports may be left out", () => {
  const names = [...suites, ...COMMANDS];
  expect(parseCommand(["all", "--json"], names)).toMatchObject({ suite: "all", json: "" });
  expect(parseCommand(["all", "--json", "--quick"], names)).toMatchObject({ json: "", quick: true });
  expect(parseCommand(["all", "--json", "there"], names)).toMatchObject({ json: "there" });
});

test.each([
  [[], "a suite is wanted"],
  [["gem"], 'there is no suite "gem". Did you mean "gemm"?'],
  [["nothing"], 'there is no suite "nothing"'],
  [["gemm", "train"], "one suite at a time"],
  [["gemm", "--seconds", "0"], "positive number for --seconds"],
  [["gemm", "--seconds", "fast"], "positive number for --seconds"],
  [["gemm", "--threads", "1,0"], "thread counts"],
  [["gemm", "--threads", ""], "thread counts"],
  [["gemm", "--only", "("], "regular expression"],
  [["gemm", "--jsn", "x"], "--jsn"],
  [["gemm", "--json"], "--json"],
])("%j is an error", (args, message) => {
  expect(() => parseCommand(args, suites)).toThrow(UsageError);
  expect(() => parseCommand(args, suites)).toThrow(message);
});

test("the usage names every suite", () => {
  for (const suite of suites) expect(usage(suites)).toContain(suite);
});
