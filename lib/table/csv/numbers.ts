// Numbers out of bytes, to the bit those that `Number` gives of the same text.

/** Powers of ten that doubles hold exactly. */
const POWERS = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];

/** 2²⁷ + 1: halves the digits of a double (Veltkamp 1968). */
const SPLITTER = 134_217_729;

/** What an unsure last digit could move a quotient by, far above what it can: 2⁻⁴⁰ of the second part. */
const DOUBT = 9.094947017729282e-13;

/** `a·b − product`, exactly, where `product` is the rounded one (Dekker 1971). */
function productError(a: number, b: number, product: number): number {
  const aBig = SPLITTER * a;
  const aHigh = aBig - (aBig - a);
  const aLow = a - aHigh;
  const bBig = SPLITTER * b;
  const bHigh = bBig - (bBig - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/**
 * (high·10⁹ + low)/divisor, rounded to the nearest double once, for high < 10¹⁰, low < 10⁹ and a power of ten that is exact; NaN where
 * two parts cannot tell to which side it is to be rounded.
 */
function dividedWide(high: number, low: number, divisor: number): number {
  const scaled = high * 1e9;
  const scaledRest = productError(high, 1e9, scaled);
  const whole = scaled + low;
  const wholeRest = low - (whole - scaled) + scaledRest;
  const quotient = whole / divisor;
  const product = quotient * divisor;
  const rest = whole - product - productError(quotient, divisor, product) + wholeRest;
  const second = rest / divisor;
  const doubt = Math.abs(second) * DOUBT;
  const least = quotient + (second - doubt);
  return least === quotient + (second + doubt) ? least : Number.NaN;
}

const ZERO = 48;
const MINUS = 45;
const PLUS = 43;
const LETTER_E = 101;

/** Digits of a mantissa that a double holds exactly, and that two parts of nine and ten do. */
const EXACT_DIGITS = 15;
const WIDE_DIGITS = 19;

/**
 * The number that bytes [begin, end) write in decimal: a sign, digits, a fraction, an exponent. NaN for any other text, for one that begins with zeros
 * as a code does (`007`), for integers that a double cannot hold (they are names of something), and for what is too large.
 *
 * @param point The byte that fractions begin with: `.` or `,`.
 */
export function numberIn(bytes: Uint8Array, begin: number, end: number, point: number): number {
  let at = begin;
  const sign = bytes[at];
  if (sign === MINUS || sign === PLUS) at += 1;
  const first = at;
  let high = 0; // digits before the last nine, once there are more than nine
  let low = 0;
  let digits = 0;
  let fraction = 0;
  let behind = false;
  for (; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit >= 0 && digit <= 9) {
      if (digits < 9) low = low * 10 + digit;
      else if (digits < WIDE_DIGITS) {
        // The value is high·10⁹ + low, kept by moving one digit a step.
        const carry = (low - (low % 1e8)) / 1e8;
        high = high * 10 + carry;
        low = (low - carry * 1e8) * 10 + digit;
      }
      if (digits > 0 || digit > 0) digits += 1;
      if (behind) fraction += 1;
    } else if (bytes[at] === point && !behind) behind = true;
    else break;
  }
  const written = at - first - (behind ? 1 : 0);
  if (written === 0) return Number.NaN;
  if (written - fraction > 1 && bytes[first] === ZERO) return Number.NaN;
  if (at < end) {
    if (((bytes[at] ?? 0) | 32) !== LETTER_E) return Number.NaN;
    return byText(bytes, begin, end, point);
  }
  const divisor = POWERS[fraction];
  if (divisor === undefined) return byText(bytes, begin, end, point);
  let value: number;
  if (digits <= EXACT_DIGITS) value = (high * 1e9 + low) / divisor;
  else if (fraction === 0) value = held(high, low, digits);
  else value = digits <= WIDE_DIGITS ? dividedWide(high, low, divisor) : Number.NaN;
  if (Number.isNaN(value)) return fraction === 0 ? value : byText(bytes, begin, end, point);
  return sign === MINUS ? -value : value;
}

/** An integer of more than 15 digits, if a double and its neighbours tell it apart; else NaN. */
function held(high: number, low: number, digits: number): number {
  const value = high * 1e9 + low;
  return digits <= WIDE_DIGITS && Number.isSafeInteger(value) ? value : Number.NaN;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** By the parser of JavaScript. */
function byText(bytes: Uint8Array, begin: number, end: number, point: number): number {
  let text = "";
  for (let at = begin; at < end; at++) text += bytes[at] === point ? "." : String.fromCharCode(bytes[at] ?? 0);
  if (!NUMBER.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}

const encoder = new TextEncoder();

/** The number that a text writes, by the same rules; NaN if it writes none. */
export function numberOf(text: string, point = "."): number {
  const bytes = encoder.encode(text.trim());
  return numberIn(bytes, 0, bytes.length, point.charCodeAt(0));
}
