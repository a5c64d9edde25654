// Who answers in the suite `serving`: ours in every form of the weights, onnxruntime-node and TensorFlow.js. All in this process, from
// JavaScript; each has its inputs ready, and memory for its outputs where its interface has that.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { type Dense, onnxModel } from "../../examples/serving/onnx.js";
import { type Layer, linear, type Model, relu, sequential, tensor, type WeightForm } from "../../lib/index.js";
import { loadTf } from "../peers/tfjs.mjs";

export interface Network {
  readonly sizes: readonly number[];
}

export const NETWORKS: readonly Network[] = [
  { sizes: [32, 64, 64, 2] },
  { sizes: [220, 128, 64, 1] },
  { sizes: [784, 256, 10] },
  { sizes: [1024, 1024, 1024] },
];

export const PEERS = ["onnxruntime1", "onnxruntime2", "tfjsWasm"] as const;
export type PeerName = (typeof PEERS)[number];

export function nameOf({ sizes }: Network): string {
  return sizes.join("-");
}

/** Answers for one batch. What `outputs` gives is looked at once: peers that compute something else are not used. */
export interface Entrant {
  call(): unknown;
  outputs(): Promise<Float32Array>;
  end(): void;
}

/** Numbers in [−1, 1) that need no quality: a multiplicative generator modulo 2³¹ − 1. */
export function floats(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 1_073_741_823.5 - 1;
  });
}

/** Weights in [−√(6/inputs), √(6/inputs)), which keep the size of what passes. */
export function layersOf({ sizes }: Network): Dense[] {
  return sizes.slice(1).map((outputs, index) => {
    const inputs = sizes[index] ?? 0;
    const weight = floats(inputs * outputs, index + 1).map((value) => value * Math.sqrt(6 / inputs));
    return { inputs, outputs, weight, bias: floats(outputs, index + 100) };
  });
}

export function modelOf(network: Network): Model {
  const dense = layersOf(network);
  const layers = dense.flatMap(({ inputs, outputs }, index): Layer[] => {
    return index + 1 < dense.length ? [linear(inputs, outputs), relu()] : [linear(inputs, outputs)];
  });
  const model = sequential(...(layers as [Layer, ...Layer[]]));
  const weights = dense.flatMap(({ inputs, outputs, weight, bias }, index) => [
    [`linear${index + 1}.weight`, tensor(weight, [outputs, inputs])] as const,
    [`linear${index + 1}.bias`, tensor(bias)] as const,
  ]);
  return model.setWeights(new Map(weights));
}

export function ours(model: Model, x: Float32Array, weights: WeightForm, threads: number): Entrant {
  const rows = x.length / Number(model.inputs);
  const predictor = model.predictor({ maxBatch: rows, weights, threads });
  const into = new Float32Array(rows * Number(model.outputs));
  return {
    call: () => predictor.run(x, into),
    outputs: () => Promise.resolve(predictor.run(x, into)),
    end: () => undefined,
  };
}

interface OrtTensor {
  readonly data: Float32Array;
}

interface OrtSession {
  run(
    feeds: Readonly<Record<string, OrtTensor>>,
    fetches?: Readonly<Record<string, OrtTensor>>,
  ): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** What is used of onnxruntime-node. */
interface Ort {
  readonly env: { readonly versions: { readonly node?: string; readonly common: string } };
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(bytes: Uint8Array, options: object): Promise<OrtSession> };
}

interface TfTensor {
  dataSync(): Float32Array;
  dispose(): void;
}

interface Tf {
  readonly version: { readonly tfjs: string };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T>(scope: () => T): T;
  tensor2d(values: Float32Array, shape: readonly [number, number]): TfTensor;
  tensor1d(values: Float32Array): TfTensor;
  transpose(matrix: TfTensor): TfTensor;
  readonly fused: { matMul(options: object): TfTensor };
}

export interface Libraries {
  readonly ort: Ort | undefined;
  readonly tf: Tf | undefined;
  /** Why one is not there. */
  readonly absent: Readonly<Record<string, string>>;
}

/** The libraries in the directory that CARILLON_PEERS_NODE names. */
export async function loadLibraries(): Promise<Libraries> {
  const absent: Record<string, string> = {};
  const attempt = async <T>(name: string, load: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await load();
    } catch (error) {
      absent[name] = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
      return undefined;
    }
  };
  const ort = await attempt("onnxruntime", (): Ort => {
    const directory = process.env.CARILLON_PEERS_NODE;
    if (directory === undefined) throw new Error("CARILLON_PEERS_NODE is not set");
    return createRequire(join(resolve(directory), "package.json"))("onnxruntime-node") as Ort; // found at run time
  });
  const tf = await attempt("tfjsWasm", () => loadTf<Tf>("wasm"));
  return { ort, tf, absent };
}

/** One thread, or several; its inputs and outputs are made once. */
export async function onnxruntime(ort: Ort, network: Network, x: Float32Array, threads: number): Promise<Entrant> {
  const [inputs = 0, outputs = 0] = [network.sizes[0], network.sizes.at(-1)];
  const rows = x.length / inputs;
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" };
  const session = await ort.InferenceSession.create(onnxModel(layersOf(network)), options);
  const feeds = { x: new ort.Tensor("float32", x, [rows, inputs]) };
  const y = new ort.Tensor("float32", new Float32Array(rows * outputs), [rows, outputs]);
  const fetches = { y };
  return {
    call: () => session.run(feeds, fetches),
    outputs: async () => (await session.run(feeds, fetches)).y?.data ?? new Float32Array(),
    end: () => {
      session.release().catch(() => undefined);
    },
  };
}

/** Weights on the backend; the inputs go there and the outputs come back at every call, as they do in serving. */
export function tfjs(tf: Tf, network: Network, x: Float32Array): Entrant {
  const [inputs = 0] = network.sizes;
  const rows = x.length / inputs;
  const layers = layersOf(network).map((layer, index, all) => ({
    // Turned over here: of several rows 4.22.0 computes something else with `transposeB`.
    b: tf.transpose(tf.tensor2d(layer.weight, [layer.outputs, layer.inputs])),
    bias: tf.tensor1d(layer.bias),
    activation: index + 1 < all.length ? "relu" : "linear",
  }));
  const call = (): Float32Array =>
    tf.tidy(() => {
      let a = tf.tensor2d(x, [rows, inputs]);
      for (const layer of layers) a = tf.fused.matMul({ a, ...layer });
      return a.dataSync();
    });
  return {
    call,
    outputs: () => Promise.resolve(call()),
    end: () => {
      for (const { b, bias } of layers) {
        b.dispose();
        bias.dispose();
      }
    },
  };
}
