import { test } from "vitest";
import { expectOneHash } from "../reports_by_isa.js";

test("every instruction set makes the same bits of updates in rows", () =>
  expectOneHash("test/optim/rows-isa-main.ts"));
