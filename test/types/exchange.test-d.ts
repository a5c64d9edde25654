// Options of carillon/exchange, checked by the compiler. A line under @ts-expect-error must not compile.
import { adam, linear, type Model, minimizer, sequential, type Tensor } from "carillon";
import {
  convertFile,
  importKeras,
  importTfjs,
  inspectFile,
  loadKerasWeights,
  loadOptimizerState,
  loadStateDict,
  modelFromJson,
  modelToJson,
  nameMap,
  readTensors,
  saveStateDict,
  stateDict,
  writeTensors,
} from "carillon/exchange";

const model = sequential(linear(2, 3), linear(3, 1));
const dict: ReadonlyMap<string, Tensor> = stateDict(model, { map: { linear1: "fc1" } });
stateDict(model, { map: (layer, standard) => `${layer}.${standard}`, images: { linear1: [1, 1, 2] } });
// @ts-expect-error An order is of files that are read.
stateDict(model, { map: "order" });
// @ts-expect-error There is no such option.
stateDict(model, { maps: {} });

await loadStateDict(model, "net.pt", { map: "order", strict: false, key: "net", limits: { tensors: 10 } });
await loadStateDict(model, new Uint8Array(3), { verify: { inputs: [[1, 2]], outputs: [1], tolerance: 1e-4 } });
await loadStateDict(model, dict);
// @ts-expect-error Neither a file nor tensors.
await loadStateDict(model, 3);
// @ts-expect-error A verification has outputs.
await loadStateDict(model, dict, { verify: { inputs: [[1, 2]] } });

const { missing } = await loadStateDict(model, dict);
const first: string | undefined = missing[0];
await saveStateDict(model, "net.safetensors");
await loadOptimizerState(minimizer(model, adam()), "net.pt", { key: "optimizer", updates: 3 });
// @ts-expect-error A model is no minimizer.
await loadOptimizerState(model, "net.pt");

const { stored, dtype }: { stored: string; dtype: "f32" | "i32" | "u8" } = [
  ...(await readTensors("a.npz")).values(),
][0] ?? { stored: first ?? "", dtype: "f32" };
await writeTensors("a.npz", dict);
const { model: imported, notes } = await importKeras("m.keras", { input: [20, 8] });
await importTfjs("model.json", { limits: { bytes: 1e9 } });
await loadKerasWeights(imported, "m.weights.h5");
const again: Model = modelFromJson(modelToJson(model));
const text: string = `${nameMap(again)}${stored}${dtype}${notes.join()}`;
await convertFile("a.keras", "a.safetensors", { names: "pytorch" });
// @ts-expect-error Names are one of two.
await convertFile("a.keras", text, { names: "keras" });
const { summary }: { readonly summary?: string | undefined } = await inspectFile("a.keras");
// @ts-expect-error There may be no layers.
summary.length;
