// The public API under attack: good calls of it (calls.ts), in which something is exchanged, and files with bytes exchanged.
import * as carillon from "carillon";
import fc from "fast-check";
import { hashOf } from "../train/synthetic.js";
import { type Alteration, altered, HOWS, taken } from "./alter.js";
import { CALLS } from "./calls.js";
import { HOSTILE_NAMES } from "./hostile.js";
import { ended, expectAnswer, type Property, property } from "./property.js";

/** A training that must give the same bits whatever was called before. */
async function canary(): Promise<string> {
  const { adam, crossEntropy, dropout, fit, linear, relu, sequential } = carillon;
  const model = sequential(linear(4, 6), relu(), dropout(0.3), linear(6, 3));
  const x = Float32Array.from({ length: 32 }, (_, i) => ((i * 37) % 23) / 8 - 1);
  const y = Int32Array.from({ length: 8 }, (_, i) => (i * 7) % 3);
  const { history } = await fit(model, {
    data: { x, y },
    loss: crossEntropy(),
    optimizer: adam(),
    epochs: 2,
    batchSize: 4,
    seed: 3,
  });
  return `${hashOf(model.weights())} ${history.at(-1)?.loss}`;
}

/** Elements that a counterexample of a file may be changed at. */
const FILE_PLACES = 100_000;

/** Bytes of models as they are saved. */
async function files(): Promise<readonly Uint8Array[]> {
  const { batchNorm, conv2d, embedding, flatten, linear, lstm, relu, sequential, standardize, fit, mse, sgd, spec } =
    carillon;
  const dense = sequential(linear(4, 3), batchNorm(3), relu(), linear(3, 1));
  const data = { x: Float32Array.from({ length: 32 }, (_, i) => i % 7), y: new Float32Array(8) };
  await fit(dense, { data, loss: mse(), optimizer: sgd({ lr: 0.01 }), epochs: 1, inputs: standardize() });
  const image = sequential(
    { input: [4, 4, 1] },
    conv2d(1, 2, { kernel: 3 }),
    relu(),
    flatten(),
    linear(8, 2),
  ).initialize(1);
  const words = sequential({ input: spec(["batch", 3], "i32") }, embedding(5, 4), lstm(4, 3), linear(3, 2)).initialize(
    1,
  );
  return [dense, image, words].map((model) => model.bytes());
}

interface FileChange {
  readonly at: number;
  readonly to: number;
  readonly how: "set" | "flip" | "cut" | "copy" | "text";
}

/** Pieces of headers that readers may trip over. */
const TEXTS = [
  "null",
  "-1",
  "1e999",
  "9007199254740993",
  '"__proto__"',
  "[[[[[[[[",
  "{}",
  '"\\u0000"',
  "\u00ff",
  "1.5",
  "true",
  '""',
];

function changedBytes(bytes: Uint8Array, changes: readonly FileChange[]): Uint8Array {
  let made = Uint8Array.from(bytes);
  for (const { at, to, how } of changes) {
    // Mostly in the header, where all that is asked for stands.
    const end = at % 4 === 0 ? made.length : Math.min(made.length, 2000);
    const place = Math.floor(at / 4) % Math.max(1, end);
    if (how === "set") made[place] = to;
    else if (how === "flip") made[place] = (made[place] ?? 0) ^ (1 << (to % 8));
    else if (how === "cut") made = made.slice(0, place);
    else if (how === "copy") made.copyWithin(place, to * 7, to * 7 + 24);
    else made.set(new TextEncoder().encode(TEXTS[to % TEXTS.length]).subarray(0, made.length - place), place);
  }
  return made;
}

/** The properties of the public API. */
export async function apiProperties(): Promise<readonly Property[]> {
  const expected = await canary();
  const same = async (): Promise<void> => {
    const got = await canary();
    if (got !== expected) throw new Error(`training has other bits afterwards: ${got}, ${expected} before`);
  };
  const names = Object.keys(CALLS);
  // What is wrong with the calls themselves.
  for (const name of names) {
    const made = CALLS[name]?.();
    try {
      if (made !== undefined) await ended(() => taken(made.call, made.args));
    } catch (error) {
      console.error(`the good call of '${name}' is none: ${error}`);
    }
  }
  const alteration = fc.record({
    at: fc.nat(200),
    how: fc.constantFrom(...HOWS),
    value: fc.constantFrom(...HOSTILE_NAMES),
  });
  const calls = fc.record({
    name: fc.constantFrom(...names),
    alterations: fc.array<Alteration>(alteration, { minLength: 1, maxLength: 3 }),
  });
  const wrong = property("api: calls", calls, async ({ name, alterations }) => {
    const made = CALLS[name]?.();
    if (made === undefined) return;
    const args = altered(made.args, alterations);
    try {
      await ended(() => taken(made.call, args));
    } catch (error) {
      expectAnswer(error);
    }
    await same();
  });
  const saved = await files();
  const change = fc.record({
    at: fc.nat(FILE_PLACES),
    to: fc.nat(255),
    how: fc.constantFrom<FileChange["how"]>("set", "flip", "cut", "copy", "text"),
  });
  const damage = fc.record({
    file: fc.nat(saved.length - 1),
    changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  });
  const damaged = property("api: files", damage, async ({ file, changes }) => {
    const bytes = changedBytes(saved[file] ?? new Uint8Array(), changes);
    try {
      const model = await ended(() => carillon.loadModel(bytes));
      await ended(() => model.predict(new Float32Array(0)));
    } catch (error) {
      expectAnswer(error);
    }
    await same();
  });
  return [wrong, damaged];
}
