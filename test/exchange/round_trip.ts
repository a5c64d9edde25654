// Weights from here to PyTorch and Keras and back, bit for bit, by what is installed there:
//
//     node scripts/run.mjs test/exchange/round_trip.ts PYTHON
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AnyModel,
  attention,
  batchNorm,
  conv1d,
  conv2d,
  convTransposed2d,
  flatten,
  groupNorm,
  gru,
  layerNorm,
  linear,
  lstm,
  relu,
  rnn,
  sequential,
  tensor,
  transformerBlock,
} from "carillon";
import {
  loadKerasWeights,
  loadStateDict,
  readTensors,
  saveKerasWeights,
  stateDict,
  writeTensors,
} from "carillon/exchange";

const folder = mkdtempSync(join(tmpdir(), "carillon-round-trip-"));
const steps = { input: [5, 3] } as const;

const PYTORCH: Readonly<Record<string, () => AnyModel>> = {
  rows: () => sequential(linear(4, 6), batchNorm(6), relu(), layerNorm(6), linear(6, 3, { bias: false })),
  images: () =>
    sequential(
      { input: [6, 6, 2] },
      conv2d(2, 4, { kernel: 3 }),
      groupNorm(4, 2),
      convTransposed2d(4, 3, { kernel: 2 }),
      flatten(),
      linear(75, 2),
    ),
  lstm: () => sequential(steps, lstm(3, 4, { layers: 2, bidirectional: true })),
  gru: () => sequential(steps, gru(3, 4)),
  attention: () => sequential({ input: [5, 8] }, attention(8, 2), transformerBlock(8, 2)),
};

const KERAS: Readonly<Record<string, () => AnyModel>> = {
  "keras rows": () =>
    sequential(
      linear(4, 6),
      batchNorm(6, { preset: "keras" }),
      layerNorm(6, { epsilon: 1e-3 }),
      linear(6, 3, { bias: false }),
    ),
  "keras images": () =>
    sequential(
      { input: [6, 6, 2] },
      conv2d(2, 4, { kernel: 3 }),
      groupNorm(4, 2, { epsilon: 1e-3 }),
      convTransposed2d(4, 3, { kernel: 2 }),
      flatten(),
      linear(75, 2),
    ),
  "keras steps": () =>
    sequential(
      steps,
      conv1d(3, 4, { kernel: 2 }),
      lstm(4, 3, { bidirectional: true, sequences: true }),
      gru(6, 4, { sequences: true, preset: "keras" }),
      rnn(4, 2),
    ),
};

const bits = (model: AnyModel): string => Buffer.from(model.bytes()).toString("hex");

/** Weights that are no initial ones: none is 0. */
function filled(model: AnyModel): AnyModel {
  model.initialize(3);
  const weights = [...model.weights()].map(([name, { data }]) => {
    return [name, data.map((value, at) => (value === 0 ? ((at * 7) % 11) / 20 + 0.01 : value))] as const;
  });
  return model.setWeights(new Map(weights));
}

try {
  const before = new Map<string, AnyModel>();
  for (const [name, make] of Object.entries(PYTORCH)) {
    const model = filled(make());
    before.set(name, model);
    await writeTensors(join(folder, `${name}.npz`), stateDict(model));
  }
  const told: Record<string, { x: number[]; y: number[]; shape: number[] }> = {};
  for (const [name, make] of Object.entries(KERAS)) {
    const model = filled(make());
    before.set(name, model);
    await saveKerasWeights(model, join(folder, `${name}.weights.h5`));
    const shape = [2, ...(model.rows.inputs[0]?.shape ?? [])];
    const x = Float32Array.from(
      { length: shape.reduce((product, size) => product * size, 1) },
      (_, at) => ((at * 13) % 17) / 8 - 1,
    );
    const answer: unknown = await Reflect.apply(model.predict, model, [x]);
    const { data }: { data?: Float32Array } = Object(answer);
    told[name] = { x: [...x], y: [...(data ?? [])], shape };
  }
  writeFileSync(join(folder, "keras.json"), JSON.stringify(told));
  await writeTensors(join(folder, "one.npy"), {
    one: tensor([
      [1.5, -2],
      [0.25, 8],
    ]),
  });
  const script = join("test", "exchange", "round_trip.py"); // beside this file: it runs in the checkout
  const { status } = spawnSync(process.argv[2] ?? "python", [script, folder], { stdio: "inherit" });
  if (status !== 0) throw new Error("the other side gave up");
  for (const [name, model] of before) {
    const back = (PYTORCH[name] ?? KERAS[name])?.();
    if (back === undefined) throw new Error(name);
    if (name in PYTORCH) await loadStateDict(back, join(folder, `${name}.pt`));
    else await loadKerasWeights(back, join(folder, `${name} again.weights.h5`));
    if (bits(back) !== bits(model)) throw new Error(`${name}: other bits`);
    console.log(`${name}: the same bits`);
  }
  const turned = (await readTensors(join(folder, "turned.npy"))).get("array");
  if ([...(turned?.data ?? [])].some((value, at) => value !== at)) throw new Error("turned.npy: another order");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
