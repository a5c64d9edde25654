import type { Value } from "../../tensor/value.js";

/** What the members of an ensemble in one network answer each, by the value that they come to together: known while a training step is recorded. */
const MEMBERS = new WeakMap<Value, readonly Value[]>();

/** `together`, of which the members are remembered: the loss of a training step is then the mean of theirs. */
export function ofMembers(together: Value, members: readonly Value[]): Value {
  MEMBERS.set(together, members);
  return together;
}

/** The members of an output; `undefined` of one that has none. */
export function membersOf(output: Value): readonly Value[] | undefined {
  return MEMBERS.get(output);
}
