// Functions of double precision with the same bits on every machine: + − × ÷ √ and comparisons, never Math.exp and its
// relatives. Arguments are reduced and polynomials chosen as in FreeBSD's msun (Sun Microsystems 1993, after Tang 1989).

/** ln 2 in two parts; the high one has 32 bits, so that its products with exponents are exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const LOG2_E = 1 / Math.LN2;

/** eˣ overflows above the one and is below half of the smallest double under the other. */
const EXP_MOST = 709.782712893384;
const EXP_LEAST = -745.1332191019412;

/** 2ⁿ by squaring; powers of two are exact. n in [−1074, 1023]. */
function powerOfTwo(n: number): number {
  return n < 0 ? 1 / integerPower(2, -n) : integerPower(2, n);
}

/** x·2ⁿ in two factors where 2ⁿ alone would leave the normal range. */
function scaled(x: number, n: number): number {
  const HALF_RANGE = 1000;
  if (n > HALF_RANGE) return x * powerOfTwo(HALF_RANGE) * powerOfTwo(n - HALF_RANGE);
  return n < -HALF_RANGE ? x * powerOfTwo(-HALF_RANGE) * powerOfTwo(n + HALF_RANGE) : x * powerOfTwo(n);
}

function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}

/** Of R(z²) = z·(eᶻ + 1)/(eᶻ − 1) = 2 + P₁·z² + …, |z| ≤ ½ ln 2, to 2⁻⁵⁹. */
const EXP_TERMS = [
  0.16666666666666602, -0.0027777777777015593, 6.613756321437934e-5, -1.6533902205465252e-6, 4.1381367970572385e-8,
] as const;

/** eˣ, below 1 ulp (2 below 2⁻¹⁰²², where the result is denormal). NaN stays NaN. */
export function exp(x: number): number {
  if (x > EXP_MOST) return Number.POSITIVE_INFINITY;
  if (x < EXP_LEAST) return 0;
  if (x - x !== 0) return x;
  const n = Math.floor(x * LOG2_E + 0.5);
  const high = x - n * LN2_HIGH;
  const low = n * LN2_LOW;
  const z = high - low;
  const square = z * z;
  const c = z - square * polynomial(square, EXP_TERMS);
  return scaled(1 - (low - (z * c) / (2 - c) - high), n);
}

/** Of (ln(1 + f) − 2s)/s = L₁·s² + …, s = f/(2 + f), to 2⁻⁵⁸. */
const LOG_TERMS = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
] as const;

/** m in [√½, √2) and e with x = m·2ᵉ, for finite x > 0. */
function split(x: number): { readonly mantissa: number; readonly exponent: number } {
  let mantissa = x;
  let exponent = 0;
  for (let step = 512; step >= 1; step /= 2) {
    const power = powerOfTwo(step);
    while (mantissa >= power) {
      mantissa /= power;
      exponent += step;
    }
    while (mantissa * power < 2) {
      mantissa *= power;
      exponent -= step;
    }
  }
  return mantissa > Math.SQRT2 ? { mantissa: mantissa / 2, exponent: exponent + 1 } : { mantissa, exponent };
}

/** ln x, below 1 ulp; −∞ of 0, NaN of negative numbers. */
export function log(x: number): number {
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (!(x > 0)) return Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  const { mantissa, exponent } = split(x);
  const f = mantissa - 1;
  const s = f / (2 + f);
  const square = s * s;
  const rest = square * polynomial(square, LOG_TERMS);
  const half = 0.5 * f * f;
  return exponent * LN2_HIGH - (half - (s * (half + rest) + exponent * LN2_LOW) - f);
}

/** xⁿ by squaring for an integer n ≥ 0. */
function integerPower(x: number, n: number): number {
  let result = 1;
  let factor = x;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= factor;
    factor *= factor;
  }
  return result;
}

/** Beyond this many factors squaring would lose more than the logarithm does. */
const MOST_FACTORS = 1024;

/**
 * x^y for x ≥ 0. Integers |y| ≤ 1024 by squaring, at most 2|y| roundings; other y as e^(y·ln x), off by at most
 * (3 + 2·|y·ln x|)·2⁻⁵² relatively. 0⁰ is 1; a negative x with another y is NaN.
 */
export function power(x: number, y: number): number {
  if (Number.isInteger(y) && Math.abs(y) <= MOST_FACTORS) {
    return y < 0 ? 1 / integerPower(x, -y) : integerPower(x, y);
  }
  if (x === 0) return y > 0 ? 0 : Number.POSITIVE_INFINITY;
  return exp(y * log(x));
}

/** π/2 in three parts; the first two have 33 bits, so that their products with counts are exact. */
const HALF_PI_1 = 1.5707963267341256;
const HALF_PI_2 = 6.077100506303966e-11;
const HALF_PI_3 = 2.0222662487959506e-21;
const TWO_OVER_PI = 0.6366197723675814;

const SIN_TERMS = [
  -0.16666666666666632, 0.00833333333332249, -0.0001984126982985795, 2.7557313707070068e-6, -2.5050760253406863e-8,
  1.58969099521155e-10,
] as const;
const COS_TERMS = [
  0.0416666666666666, -0.001388888888887411, 2.480158728947673e-5, -2.7557314351390663e-7, 2.087572321298175e-9,
  -1.1359647557788195e-11,
] as const;

/** sin(x + low), |x| ≤ π/4. */
function sinKernel(x: number, low: number): number {
  const square = x * x;
  const cube = square * x;
  const rest = polynomial(square, SIN_TERMS.slice(1));
  return x - (square * (0.5 * low - cube * rest) - low - cube * SIN_TERMS[0]);
}

/** cos(x + low), |x| ≤ π/4. */
function cosKernel(x: number, low: number): number {
  const square = x * x;
  const rest = square * polynomial(square, COS_TERMS);
  const half = 0.5 * square;
  const one = 1 - half;
  return one + (1 - one - half + (square * rest - x * low));
}

/** Largest |x| of {@link cos}. */
const COS_MOST = 1000;

/** Largest |x| of {@link sineAndCosine}: so many quarters of a turn have 20 bits, and their products with the parts of π/2 are exact. */
const ANGLE_MOST = 1_000_000;

/** What is left of |x| ≤ 1,000,000 behind whole quarters of a turn, in two parts, and how many these are. */
function quarters(x: number): { readonly count: number; readonly reduced: number; readonly rest: number } {
  const count = Math.floor(x * TWO_OVER_PI + 0.5);
  const first = x - count * HALF_PI_1;
  const high = first - count * HALF_PI_2;
  const low = count * HALF_PI_3 - (first - high - count * HALF_PI_2);
  const reduced = high - low;
  return { count, reduced, rest: high - reduced - low };
}

/** cos of the rest behind so many quarters of a turn. */
function turnedBy(count: number, reduced: number, rest: number): number {
  switch (count % 4) {
    case 0:
      return cosKernel(reduced, rest);
    case 1:
      return -sinKernel(reduced, rest);
    case 2:
      return -cosKernel(reduced, rest);
    default:
      return sinKernel(reduced, rest);
  }
}

/** cos x for |x| ≤ 1000, below 1 ulp; NaN beyond. */
export function cos(x: number): number {
  if (!(Math.abs(x) <= COS_MOST)) return Number.NaN;
  const { count, reduced, rest } = quarters(Math.abs(x));
  return turnedBy(count, reduced, rest);
}

/** sin x and cos x for 0 ≤ x ≤ 1,000,000, below 1 ulp; NaN beyond, where the reduction by π/2 would lose digits. */
export function sineAndCosine(x: number): { readonly sine: number; readonly cosine: number } {
  if (!(x >= 0 && x <= ANGLE_MOST)) return { sine: Number.NaN, cosine: Number.NaN };
  const { count, reduced, rest } = quarters(x);
  return { sine: turnedBy(count + 3, reduced, rest), cosine: turnedBy(count, reduced, rest) };
}

/** √(2π) */
const ROOT_TWO_PI = Math.sqrt(2 * Math.PI);

/** φ(x) = e^(−x²/2)/√(2π), the density of the standard normal distribution. */
export function normalDensity(x: number): number {
  return exp(-0.5 * x * x) / ROOT_TWO_PI;
}

/**
 * Φ(x) − ½ = φ(x)·(x + x³/3 + x⁵/(3·5) + …): terms of one sign, so nothing cancels (Marsaglia 2004). For |x| ≤ 10.
 */
export function normalArea(x: number): number {
  let sum = 0;
  let term = x;
  for (let n = 1; sum !== sum + term; n += 2) {
    sum += term;
    term *= (x * x) / (n + 2);
  }
  return sum * normalDensity(x);
}

/** Numerators and denominators of Wichura's three stretches: |q| ≤ 0.425, r ≤ 5, and beyond. */
const QUANTILE_TERMS = {
  middle: [
    [
      3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987,
      67265.7709270087, 33430.57558358813, 2509.0809287301227,
    ],
    [
      1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
      28729.085735721943, 5226.495278852854,
    ],
  ],
  near: [
    [
      1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
      0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
    ],
    [
      1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
      0.0005475938084995345, 1.0507500716444169e-9,
    ],
  ],
  far: [
    [
      6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
      0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
    ],
    [
      1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
      1.421511758316446e-7, 2.0442631033899397e-15,
    ],
  ],
} as const;

function ratioAt(x: number, [above, below]: (typeof QUANTILE_TERMS)["middle" | "near" | "far"]): number {
  return polynomial(x, above) / polynomial(x, below);
}

/** Φ⁻¹(p): the number below which a share p in (0, 1) of the standard normal distribution lies, to some 2⁻⁵⁰ of it (Wichura 1988, AS 241). */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratioAt(0.180625 - q * q, QUANTILE_TERMS.middle);
  const r = Math.sqrt(-log(q < 0 ? p : 1 - p));
  const far = r <= 5 ? ratioAt(r - 1.6, QUANTILE_TERMS.near) : ratioAt(r - 5, QUANTILE_TERMS.far);
  return q < 0 ? -far : far;
}
