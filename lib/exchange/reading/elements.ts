// Elements of files of others, and what they become here: f32, i32 or u8.
import { asFloat32, type ElementTypes, storedTensor } from "../../io/element_types.js";
import { broken } from "../../io/refusal.js";
import { isFloats } from "../../tensor/arrays.js";
import { extent } from "../../tensor/shape.js";

/** What a tensor of a file becomes here. */
export type HereDtype = "f32" | "i32" | "u8";

/** A tensor that was read: its elements row-major. `tensor()` makes a `Tensor` of it, where it has elements. */
export interface ReadTensor {
  readonly dtype: HereDtype;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
  /** Its type in the file, such as `bf16`. */
  readonly stored: ForeignDtype;
}

/** Bytes of an element of each type. */
export const FOREIGN_BYTES = {
  ...{ f64: 8, f32: 4, f16: 2, bf16: 2 },
  ...{ i64: 8, i32: 4, i16: 2, i8: 1, u64: 8, u32: 4, u16: 2, u8: 1, bool: 1 },
  ...{ f8_e4m3: 1, f8_e5m2: 1, f8_e4m3fnuz: 1, f8_e5m2fnuz: 1, f8_e8m0: 1 },
} as const;

/** Types of elements that files of others have. */
export type ForeignDtype = keyof typeof FOREIGN_BYTES;

const names = Object.keys(FOREIGN_BYTES) as readonly ForeignDtype[];

/** As safetensors names them. */
export const FOREIGN_TYPES: ElementTypes<ForeignDtype> = {
  bytes: FOREIGN_BYTES,
  names: names.map((name) => name.toUpperCase()),
  of: (stored) => names.find((name) => name.toUpperCase() === stored),
};

/** What each becomes. */
export function becomes(dtype: ForeignDtype): HereDtype {
  if (dtype === "u8" || dtype === "bool") return "u8";
  return dtype.startsWith("f") || dtype === "bf16" ? "f32" : "i32";
}

/** Bits of eight: a sign, an exponent of so many bits with a bias, the rest a fraction. */
interface Eighth {
  readonly exponent: number;
  readonly bias: number;
  /** What the highest exponent means: as in IEEE 754; only all ones is NaN; or numbers throughout, with NaN in the place of −0. */
  readonly special: "ieee" | "all ones" | "minus zero";
}

/** Micikevicius et al. 2022; the FNUZ kinds (Noune et al. 2022) have no −0 and no infinities. */
const EIGHTHS: Readonly<Partial<Record<ForeignDtype, Eighth>>> = {
  f8_e4m3: { exponent: 4, bias: 7, special: "all ones" },
  f8_e5m2: { exponent: 5, bias: 15, special: "ieee" },
  f8_e4m3fnuz: { exponent: 4, bias: 8, special: "minus zero" },
  f8_e5m2fnuz: { exponent: 5, bias: 16, special: "minus zero" },
};

/** 2ⁿ of a whole n, by multiplication. */
function power(n: number): number {
  let value = 1;
  for (let at = 0; at < Math.abs(n); at++) value *= n < 0 ? 0.5 : 2;
  return value;
}

function eighth(bits: number, { exponent, bias, special }: Eighth): number {
  const fractionBits = 7 - exponent;
  const field = (bits & 0x7f) >> fractionBits;
  const fraction = bits & ((1 << fractionBits) - 1);
  const sign = bits & 0x80 ? -1 : 1;
  const highest = (1 << exponent) - 1;
  if (special === "minus zero" && bits === 0x80) return Number.NaN;
  if (special === "all ones" && (bits & 0x7f) === 0x7f) return Number.NaN;
  if (special === "ieee" && field === highest) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const unit = power(-fractionBits);
  return field === 0 ? sign * fraction * unit * power(1 - bias) : sign * (1 + fraction * unit) * power(field - bias);
}

/** A power of two: no sign, no fraction. */
const scaleOf = (bits: number): number => (bits === 0xff ? Number.NaN : power(bits - 127));

/** Values of all 256 bytes. */
function tableOf(dtype: ForeignDtype): Float32Array {
  const how = EIGHTHS[dtype];
  return Float32Array.from({ length: 256 }, (_, bits) => (how === undefined ? scaleOf(bits) : eighth(bits, how)));
}

const LEAST = -0x8000_0000;
const GREATEST = 0x7fff_ffff;

function integers(where: string, values: ArrayLike<number | bigint>): Int32Array {
  const result = new Int32Array(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = Number(values[at]);
    if (value < LEAST || value > GREATEST) throw broken(where, "integers of 32 bits", `${values[at]} at place ${at}`);
    result[at] = value;
  }
  return result;
}

/**
 * The tensor of so many bytes, little-endian and aligned: floats as f32 (f64 to the nearest, too large ones to infinity; the others exactly), integers as i32 (`ERR_FILE` for
 * one that does not fit), bytes and truth values as u8.
 */
export function tensorOf(
  where: string,
  stored: ForeignDtype,
  shape: readonly number[],
  bytes: Uint8Array<ArrayBuffer>,
): ReadTensor {
  const count = extent(shape);
  const whole = bytes.byteOffset === 0 ? bytes.buffer : bytes.slice().buffer;
  switch (stored) {
    case "f32":
    case "f64":
    case "f16":
    case "bf16": {
      const data = asFloat32(storedTensor(stored, shape, whole)) ?? new Float32Array();
      return { dtype: "f32", shape, data, stored };
    }
    case "i32":
      return { dtype: "i32", shape, data: new Int32Array(whole, 0, count), stored };
    case "i64":
    case "i16":
    case "i8":
    case "u64":
    case "u32":
    case "u16":
      return { dtype: "i32", shape, data: integers(where, storedTensor(stored, shape, whole).data), stored };
    case "u8":
      return { dtype: "u8", shape, data: new Uint8Array(whole, 0, count), stored };
    case "bool": {
      const data = new Uint8Array(count);
      for (let at = 0; at < count; at++) data[at] = bytes[at] === 0 ? 0 : 1;
      return { dtype: "u8", shape, data, stored };
    }
    default: {
      const table = tableOf(stored);
      const data = new Float32Array(count);
      for (let at = 0; at < count; at++) data[at] = table[bytes[at] ?? 0] ?? 0;
      return { dtype: "f32", shape, data, stored };
    }
  }
}

/** The elements of a tensor as floats, whatever it is; those of f32 are not copied. */
export function floatsOf({ data }: Pick<ReadTensor, "data">): Float32Array {
  return isFloats(data) ? data : new Float32Array(data);
}
