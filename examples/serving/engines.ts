// What answers behind the server: a predictor of Carillon, or a session of onnxruntime-node for comparison.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { loadModel, type PredictorStatistics, type WeightForm } from "carillon";
import { type Dense, onnxModel } from "./onnx.js";

export interface Engine {
  readonly inputs: number;
  /** Probabilities of rows, one array a row. */
  answer(rows: readonly (readonly number[])[]): Promise<number[][]>;
  /** Of a predictor. */
  readonly statistics: PredictorStatistics | undefined;
  /** Ends when everybody who asked is answered. */
  close(): Promise<void>;
}

/** An engine from a model's file. */
export type Load = (file: string) => Promise<Engine>;

/** `data` cut into rows of `columns` numbers. */
function rowsOf(data: Float32Array, columns: number): number[][] {
  return Array.from({ length: data.length / columns }, (_, row) =>
    Array.from(data.subarray(row * columns, (row + 1) * columns)),
  );
}

export const carillon =
  (weights: WeightForm): Load =>
  async (file) => {
    const model = await loadModel(file);
    const predictor = model.predictor({ as: "probabilities", maxBatch: 256, weights });
    return {
      inputs: predictor.inputs,
      answer: async (rows) => {
        // One row is a plain array; several go together. No signal for clients that go away: to listen takes longer than a row.
        const [first] = rows;
        const x = rows.length === 1 && first !== undefined ? first : rows;
        const { data } = await predictor.submit(x);
        return rowsOf(data, predictor.outputs);
      },
      get statistics() {
        return predictor.statistics;
      },
      close: () => predictor.close(),
    };
  };

interface OrtTensor {
  readonly data: Float32Array;
}

/** What is used of onnxruntime-node. */
interface Ort {
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(
      bytes: Uint8Array,
      options: object,
    ): Promise<{ run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>> }>;
  };
}

/** The same network by onnxruntime-node, which the directory CARILLON_PEERS_NODE has; a call a request. */
export const onnxruntime =
  (threads: number): Load =>
  async (file) => {
    const directory = process.env.CARILLON_PEERS_NODE;
    if (directory === undefined) throw new Error("CARILLON_PEERS_NODE names no directory with onnxruntime-node");
    const ort = createRequire(join(resolve(directory), "package.json"))("onnxruntime-node") as Ort; // found at run time
    const model = await loadModel(file);
    const weights = model.weights();
    const layers = model.layers.flatMap((layer, index): Dense[] => {
      if (layer.kind !== "linear") return [];
      const ordinal = model.layers.slice(0, index + 1).filter(({ kind }) => kind === "linear").length;
      const weight = weights.get(`linear${ordinal}.weight`)?.data ?? new Float32Array();
      const bias = weights.get(`linear${ordinal}.bias`)?.data ?? new Float32Array();
      return [{ inputs: weight.length / bias.length, outputs: bias.length, weight, bias }];
    });
    const session = await ort.InferenceSession.create(onnxModel(layers), { intraOpNumThreads: threads });
    const [inputs, outputs] = [Number(model.inputs), Number(model.outputs)];
    return {
      inputs,
      answer: async (rows) => {
        const x = new ort.Tensor("float32", Float32Array.from(rows.flat()), [rows.length, inputs]);
        const { y } = await session.run({ x });
        const logits = y?.data ?? new Float32Array();
        return rowsOf(
          logits.map((value) => 1 / (1 + Math.exp(-value))),
          outputs,
        );
      },
      statistics: undefined,
      close: () => Promise.resolve(),
    };
  };
