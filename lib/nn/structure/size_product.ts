// Products and sums of sizes in the compiler: literal numbers have no arithmetic there, so that it is done with their decimal digits.

/** As many elements as a digit says. */
type Units = [
  [],
  [0],
  [0, 0],
  [0, 0, 0],
  [0, 0, 0, 0],
  [0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0],
];

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Digits from the lowest up; not said in a constraint, which the compiler would try with all of them. */
type Digits = readonly unknown[];

type DigitsOf<Text extends string, Done extends Digits = []> = Text extends `${infer D extends Digit}${infer Rest}`
  ? DigitsOf<Rest, [D, ...Done]>
  : Done;

type TextOf<D extends Digits, Done extends string = ""> = D extends readonly [infer Low extends Digit, ...infer Rest]
  ? TextOf<Rest, `${Low}${Done}`>
  : Done;

/** U as many times as a digit says; each U by itself. */
type Times<U extends readonly unknown[], D extends Digit> = U extends readonly unknown[]
  ? [
      [],
      U,
      [...U, ...U],
      [...U, ...U, ...U],
      [...U, ...U, ...U, ...U],
      [...U, ...U, ...U, ...U, ...U],
      [...U, ...U, ...U, ...U, ...U, ...U],
      [...U, ...U, ...U, ...U, ...U, ...U, ...U],
      [...U, ...U, ...U, ...U, ...U, ...U, ...U, ...U],
      [...U, ...U, ...U, ...U, ...U, ...U, ...U, ...U, ...U],
    ][D]
  : [];

/** [low digit, carry] of a count below 100. */
type Split<Count> = `${Count & number}` extends `${infer High extends Digit}${infer Low extends Digit}`
  ? [Low, High]
  : [Count, 0];

/** A·d + carry. */
type Scaled<A extends Digits, D extends Digit, Carry extends Digit = 0, Done extends Digits = []> = A extends readonly [
  infer Low extends Digit,
  ...infer Rest,
]
  ? Split<[...Times<Units[Low], D>, ...Units[Carry]]["length"]> extends [
      infer Sum extends Digit,
      infer Next extends Digit,
    ]
    ? Scaled<Rest, D, Next, [...Done, Sum]>
    : never
  : Carry extends 0
    ? Done
    : [...Done, Carry];

/** A + B. */
type Sum<A extends Digits, B extends Digits, Carry extends Digit = 0, Done extends Digits = []> = A extends readonly [
  infer Left extends Digit,
  ...infer RestA,
]
  ? B extends readonly [infer Right extends Digit, ...infer RestB]
    ? Split<[...Units[Left], ...Units[Right], ...Units[Carry]]["length"]> extends [
        infer Low extends Digit,
        infer Next extends Digit,
      ]
      ? Sum<RestA, RestB, Next, [...Done, Low]>
      : never
    : Sum<A, [0], Carry, Done>
  : B extends readonly []
    ? Carry extends 0
      ? Done
      : [...Done, Carry]
    : Sum<B, [], Carry, Done>;

/** A·B: B's digits from the highest down, each after ten times what there is. */
type Multiplied<A extends Digits, B extends Digits, Done extends Digits = []> = B extends readonly [
  ...infer Rest,
  infer High extends Digit,
]
  ? Multiplied<A, Rest, Sum<Done extends readonly [] ? [] : [0, ...Done], Scaled<A, High>>>
  : Done;

/** Product or sum of `Done` and literal sizes; `number` where one of them is not known. */
type Folded<
  By extends "product" | "sum",
  Sizes extends readonly number[],
  Done extends Digits,
> = Sizes extends readonly [infer Size extends number, ...infer Rest extends readonly number[]]
  ? number extends Size
    ? number
    : Folded<By, Rest, By extends "sum" ? Sum<Done, DigitsOf<`${Size}`>> : Multiplied<Done, DigitsOf<`${Size}`>>>
  : number extends Sizes["length"]
    ? number
    : TextOf<Done> extends `${infer N extends number}`
      ? N
      : number;

/** Product of literal sizes; `number` where one of them is not known. */
export type Product<Sizes extends readonly number[]> = Folded<"product", Sizes, [1]>;

/** Sum of literal sizes; `number` where one of them is not known. */
export type Total<Sizes extends readonly number[]> = Folded<"sum", Sizes, [0]>;

/** The units of a number, digits from the highest down, each after ten times what there is. */
type Counted<D extends Digits, Done extends readonly unknown[] = []> = D extends readonly [
  ...infer Rest,
  infer High extends Digit,
]
  ? Counted<
      Rest,
      [...Done, ...Done, ...Done, ...Done, ...Done, ...Done, ...Done, ...Done, ...Done, ...Done, ...Units[High]]
    >
  : Done;

/** A tuple of so many elements; of a size of five digits or more `never`. */
export type Length<N extends number> = `${N}` extends `${infer _}${infer _}${infer _}${infer _}${infer _}`
  ? never
  : Counted<DigitsOf<`${N}`>>;
