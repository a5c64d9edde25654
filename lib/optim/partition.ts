import { nativeInfo } from "../binding/native.js";
import { madeBy } from "../described.js";
import { CarillonError, fail } from "../errors.js";
import { checkFunction, checkObject, checkOneOf, checkString } from "../options.js";
import { matchesPattern } from "../words.js";
import type { Optimizer } from "./optimizer.js";
import { checkRate } from "./schedule.js";

/** Parameters divided among optimizers. */
export interface Partition {
  readonly kind: "partition";
  readonly groups: readonly Group[];
}

/** A pattern and what trains the parameters that match it; `null` leaves them as they are. */
export interface Group {
  readonly pattern: string;
  readonly optimizer: Optimizer | null;
}

/**
 * Divides the parameters of a model among optimizers: each goes to the first pattern that matches its whole name, in which
 * `*` stands for any characters. `null` freezes: no gradient is computed, no penalty counted. A parameter that matches
 * none is `ERR_OPTION` when the model is known, and so is a pattern that matches no parameter.
 *
 * @example
 * partition([['linear1.*', adam({ lr: 1e-4 })], ['linear2.*', null], ['*', adam()]])
 */
export function partition(groups: readonly (readonly [pattern: string, optimizer: Optimizer | null])[]): Partition {
  if (!Array.isArray(groups) || groups.length === 0) {
    fail("ERR_OPTION", "partition", "an array of [pattern, optimizer]", groups);
  }
  const checked = groups.map((group, index) => {
    const where = `partition[${index}]`;
    if (!Array.isArray(group) || group.length !== 2) fail("ERR_OPTION", where, "[pattern, optimizer or null]", group);
    const [pattern, optimizer] = group;
    return {
      pattern: checkString(where, pattern),
      optimizer: optimizer === null ? null : checkOptimizer(where, optimizer),
    };
  });
  return madeBy("partition", { groups: checked }, Object.freeze({ kind: "partition", groups: checked }));
}

/** `value` if it is the description of an optimizer, else `ERR_OPTION`. */
export function checkOptimizer(where: string, value: Optimizer): Optimizer {
  if (typeof value !== "object" || value === null) fail("ERR_OPTION", where, "an optimizer such as adam()", value);
  checkObject(where, value);
  const { kind, rule, lr, states, constants, scalars } = value;
  checkString(`${where}.kind`, kind);
  if (rule !== null) checkOneOf(`${where}.rule`, rule, nativeInfo.optimizers);
  checkRate(`${kind}.lr`, lr);
  if (!Array.isArray(states)) fail("ERR_OPTION", `${where}.states`, "an array of states", states);
  for (const state of states) checkString(`${where}.states`, state?.name);
  if (!(Array.isArray(constants) && constants.every((one) => typeof one === "number"))) {
    fail("ERR_OPTION", `${where}.constants`, "an array of numbers", constants);
  }
  if (scalars !== null) checkFunction(`${where}.scalars`, scalars);
  return value;
}

/** `value` if it is an optimizer or a partition, else `ERR_OPTION`. */
export function checkOptimizers(where: string, value: Optimizer | Partition): Optimizer | Partition {
  if (typeof value === "object" && value !== null && value.kind === "partition") return value;
  return checkOptimizer(where, value as Optimizer);
}

/** The groups of an optimizer or partition: a single optimizer trains everything. */
export function groupsOf(optimizer: Optimizer | Partition): readonly Group[] {
  return "groups" in optimizer ? optimizer.groups : [{ pattern: "*", optimizer }];
}

/** `ERR_OPTION` for a pattern that matches no parameter: it was meant for one. `*` may be there for whatever is left. */
export function checkGroups(groups: readonly Group[], names: readonly string[]): void {
  for (const [index, { pattern }] of groups.entries()) {
    if (pattern === "*" || names.some((name) => matchesPattern(pattern, name))) continue;
    fail("ERR_OPTION", `partition[${index}]`, `a pattern that matches a parameter (${names.join(", ")})`, pattern);
  }
}

/** Index of the group that a parameter belongs to. */
export function groupOf(groups: readonly Group[], name: string): number {
  const index = groups.findIndex(({ pattern }) => matchesPattern(pattern, name));
  if (index >= 0) return index;
  throw new CarillonError(
    "ERR_OPTION",
    name,
    `expected a pattern of the partition that matches '${name}'; '*' matches all`,
  );
}
