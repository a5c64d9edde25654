// Whether a number divides another one, told by the compiler: a division by digits, whose remainders are tuples.

type Digits = readonly [
  readonly [],
  readonly [0],
  readonly [0, 0],
  readonly [0, 0, 0],
  readonly [0, 0, 0, 0],
  readonly [0, 0, 0, 0, 0],
  readonly [0, 0, 0, 0, 0, 0],
  readonly [0, 0, 0, 0, 0, 0, 0],
  readonly [0, 0, 0, 0, 0, 0, 0, 0],
  readonly [0, 0, 0, 0, 0, 0, 0, 0, 0],
];

type Count = readonly 0[];

type Ten<T extends Count> = readonly [...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T, ...T];

/** A tuple of N elements, N written in digits. */
type TupleOf<
  N extends string,
  Made extends Count = readonly [],
> = N extends `${infer D extends keyof Digits & `${number}`}${infer Rest}`
  ? TupleOf<Rest, readonly [...Ten<Made>, ...Extract<Digits[D], Count>]>
  : Made;

/** What is left of a tuple behind as many whole ones of `By` as it has. */
type Rest<T extends Count, By extends Count> = T extends readonly [...By, ...infer Left extends Count]
  ? Rest<Left, By>
  : T;

/** The remainder of a number in digits. */
type Remainder<
  N extends string,
  By extends Count,
  Left extends Count = readonly [],
> = N extends `${infer D extends keyof Digits & `${number}`}${infer More}`
  ? Remainder<More, By, Rest<readonly [...Ten<Left>, ...Extract<Digits[D], Count>], By>>
  : Left;

/** Numbers of one or two digits, of which tuples are short. */
type IsShort<N extends number> = `${N}` extends `${number}.${string}` | `-${string}`
  ? false
  : `${N}` extends `${infer _First}${infer Others}`
    ? Others extends `${infer _Second}${infer More}`
      ? More extends ""
        ? true
        : false
      : true
    : false;

/** False only for literals of which the second, up to 99, does not divide the first. */
export type Divides<Size extends number, By extends number> = number extends Size | By
  ? true
  : By extends 0
    ? true
    : IsShort<By> extends true
      ? Remainder<`${Size}`, TupleOf<`${By}`>> extends readonly []
        ? true
        : false
      : true;
