// Customers of a telephone company, made by chance: who leaves depends on the plan, on calls for help, on how long somebody has been there and on what they
// have written, with as much luck as there is in life.

const PLANS = ["basic", "plus", "pro"] as const;
const GLAD = [
  ...["good coverage everywhere", "quick and friendly answers", "the price is fair", "works well abroad"],
  ...["never had a problem", "the new tariff suits us", "easy to pay online", "the app is handy", "clear voices"],
];
const CROSS = [
  ...["calls drop all the time", "the bill was wrong again", "waited an hour for help", "too slow in the evening"],
  ...[
    "nobody answers my letters",
    "charged twice in May",
    "no signal in the cellar",
    "thinking of leaving",
    "too dear",
  ],
];

/** Numbers in [0, 1), the same on every machine (Numerical Recipes' linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A customer as a row has it. */
interface Customer {
  readonly customer_id: number;
  readonly since: string;
  readonly plan: string;
  readonly zip: string;
  readonly minutes: number | null;
  readonly support_calls: number;
  readonly abroad: string;
  readonly remark: string;
  readonly churned: string;
}

/** So many customers; the same seed gives the same ones. */
export function customers(count: number, seed = 1): readonly Customer[] {
  const next = numbers(seed);
  const one = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  return Array.from({ length: count }, (_, row) => {
    const days = Math.floor(next() * 3000);
    const plan = one(PLANS);
    const minutes = 20 + 400 * next() * next();
    const calls = Math.floor(6 * next() * next());
    const abroad = next() < 0.2;
    const cross = next() < 0.15 + 0.1 * calls;
    const heat =
      -2.6 + 0.9 * calls + (plan === "basic" ? 0.8 : 0) + (cross ? 1.8 : 0) + (minutes > 200 ? 1.2 : 0) - days / 2000;
    return {
      customer_id: 100_000 + row,
      since: new Date(Date.UTC(2024, 0, 1) - days * 86_400_000).toISOString().slice(0, 10),
      plan,
      zip: String(Math.floor(next() * 40) * 251).padStart(5, "0"),
      minutes: next() < 0.03 ? null : Math.round(10 * minutes) / 10,
      support_calls: calls,
      abroad: abroad ? "yes" : "no",
      remark: Array.from({ length: 4 }, () => one(cross && next() < 0.6 ? CROSS : GLAD)).join("; "),
      churned: next() < 1 / (1 + Math.exp(-heat)) ? "yes" : "no",
    };
  });
}

/** Rows as separated text, with names in the first line. */
export function csvOf(rows: readonly Customer[]): string {
  const [first] = rows;
  const names = Object.keys(first ?? {});
  return [names, ...rows.map((row) => Object.values(row))]
    .map((values) => `${values.map((one) => one ?? "").join(",")}\n`)
    .join("");
}
