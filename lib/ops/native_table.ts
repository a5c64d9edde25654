// The operands of native operations in their order, which stands in the words of lib/binding/operations.ts and nowhere else.
import { nativeInfo } from "../binding/native.js";
import { type NativeLists, type NativeOperation, OPERANDS } from "../binding/operations.js";
import { CarillonError } from "../errors.js";

/** A view of an instruction, or `room` of them under one name. */
export interface ViewSlot {
  readonly name: string;
  readonly room: number;
  readonly written: boolean;
}

/** A list of native code: its names and their numbers. */
export type Names = ReadonlyMap<string, number>;

/** A number of an instruction, or `room` doubles under one name. */
export interface NumberSlot {
  readonly name: string;
  readonly room: number;
  /** The numbers of the names that may be given; `null` where none may. */
  readonly names: Names | null;
  /** What it is where it is left out. */
  readonly absent: number;
}

/** The integers or the doubles of an instruction: one after another, then those of each item of a list. */
export interface NumberSlots {
  readonly head: readonly NumberSlot[];
  readonly list: { readonly name: string; readonly slots: readonly NumberSlot[] } | null;
}

/** What the words of an instruction are, in their order. */
export interface OperandTable {
  readonly operation: number;
  readonly views: readonly ViewSlot[];
  readonly viewCount: number;
  readonly ints: NumberSlots;
  readonly doubles: NumberSlots;
}

function older(name: string): never {
  throw new CarillonError("ERR_NATIVE", name, `the native binary is older than this package: it has no '${name}'`);
}

const lists = new Map<string, Names>();

function namesOf(list: keyof NativeLists): Names {
  const known = lists.get(list);
  if (known !== undefined) return known;
  const names = new Map(nativeInfo[list].map((each, index) => [each, index]));
  lists.set(list, names);
  return names;
}

/** The number of a name in a list of native code. */
export function numberOf<L extends keyof NativeLists>(list: L, name: NativeLists[L]): number {
  return numberIn(namesOf(list), name);
}

/** {@link numberOf} a name that the compiler does not know; `ERR_NATIVE` where the list has it not. */
export function numberIn(names: Names, name: string): number {
  return names.get(name) ?? older(name);
}

/** Words of native code in the spelling of TypeScript: `exampleRows` of `example_rows`. */
export function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** `hard_tanh` of `hardTanh`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A name of a native list; `ERR_NATIVE` where the list has it not. */
export function inList<L extends keyof NativeLists>(list: L, name: string): NativeLists[L] {
  const known: readonly string[] = nativeInfo[list];
  return isIn<NativeLists[L]>(known, name) ? name : older(name);
}

const isIn = <N extends string>(list: readonly string[], name: string): name is N => list.includes(name);

/** A name as the string that property names are: others are looked for in a table of strings at every access. */
const asKey = (name: string): string => Object.keys({ [camelCase(name)]: name })[0] ?? name;

function viewSlot(word: string): ViewSlot {
  const [, name = "", room = "1", kind = ""] = /^(\w+)(?:\[(\d)\])?:(\w)/.exec(word) ?? [];
  return { name: asKey(name), room: Number(room), written: kind === kind.toUpperCase() };
}

const isList = (kind: string): kind is keyof NativeLists => kind in nativeInfo;

function numberSlot(word: string): NumberSlot {
  const [, name = "", room = "1", kind = "d", absent = "0"] =
    /^(\w+)(?:\[(\d)\])?(?::([\w#]+))?(?:\?(\S*))?$/.exec(word) ?? [];
  return {
    name: asKey(name),
    room: Number(room),
    names: isList(kind) ? namesOf(kind) : null,
    absent: Number(absent),
  };
}

function numberSlots(words: readonly string[]): NumberSlots {
  const [, name, items] = /^(\w+)\*\((.*)\)$/.exec(words.at(-1) ?? "") ?? [];
  if (name === undefined || items === undefined) return { head: words.map(numberSlot), list: null };
  return {
    head: words.slice(0, -1).map(numberSlot),
    list: { name: asKey(name), slots: items.split(",").map(numberSlot) },
  };
}

const tables = new Map<NativeOperation, OperandTable>();

/** The table of an operation; `ERR_NATIVE` where the binary has the operation not at all, or with other operands. */
export function tableOf(name: NativeOperation): OperandTable {
  const known = tables.get(name);
  if (known !== undefined) return known;
  const operation = nativeInfo.operations.indexOf(name);
  if (nativeInfo.operands[operation] !== OPERANDS[name]) older(name);
  const [views = [], ints = [], doubles = []] = OPERANDS[name]
    .split(";")
    .map((words) => words.split(" ").filter((word) => word !== ""));
  const viewSlots = views.map(viewSlot);
  const table = {
    operation,
    views: viewSlots,
    viewCount: viewSlots.reduce((count, { room }) => count + room, 0),
    ints: numberSlots(ints),
    doubles: numberSlots(doubles),
  };
  tables.set(name, table);
  return table;
}
