import { fail } from "../../errors.js";
import { checkKeys, isPlainObject } from "../../options.js";
import { areNamed, type RowSpec, type Whole } from "../../tensor/row_spec.js";

/** An option of one input or output, and its name in errors. */
export interface GivenOne {
  readonly where: string;
  readonly value: unknown;
}

/**
 * The options of each input or output, in their order: for one without a name the value itself, for others that of a record, whose
 * keys are names of them (`ERR_UNKNOWN_OPTION`, with the name that was meant); what is no record is `ERR_OPTION`.
 *
 * @param what A value of the record, for errors: `a loss`.
 * @param isOne Whether something is such a value and no record, where it is an object as well.
 */
export function byName(
  where: string,
  given: unknown,
  whole: Whole,
  specs: readonly RowSpec[],
  what: string,
  isOne: (given: unknown) => boolean = () => false,
): readonly GivenOne[] {
  if (!areNamed(whole, specs)) return [{ where, value: given }];
  const names = specs.map(({ name }) => name);
  const noun = whole === "x" ? "input" : "output";
  if (given !== undefined) {
    if (!isPlainObject(given) || isOne(given))
      fail("ERR_OPTION", where, `${what} by ${noun}, { ${names.join(", ")} },`, given);
    checkKeys(where, given, names);
  }
  return names.map((name) => {
    return { where: `${where}.${name}`, value: given === undefined ? undefined : Reflect.get(Object(given), name) };
  });
}
