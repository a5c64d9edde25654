/// <reference types="node" preserve="true" />
export { type Converted, type ConvertOptions, convertFile } from "./convert.js";
export { type FileFacts, inspectFile } from "./inspect.js";
export { type ModelJson, modelFromJson, modelToJson } from "./json.js";
export type { BuildOptions } from "./keras/builder.js";
export {
  type ImportedModel,
  type ImportKerasOptions,
  importKeras,
  type LoadKerasOptions,
  loadKerasWeights,
  saveKerasWeights,
} from "./keras/import.js";
export { kerasNameMap } from "./keras/weights.js";
export { type NameMap, type NamePair, nameMap } from "./name_map.js";
export { type ExportedOnnx, type ExportOnnxOptions, exportOnnx } from "./onnx/export.js";
export { type ImportOnnxOptions, importOnnx } from "./onnx/import.js";
export { type LoadOptimizerStateOptions, loadOptimizerState } from "./optimizer_state.js";
export type { LayerNames, StateDictOptions } from "./pytorch_walk.js";
export type { ForeignDtype, HereDtype, ReadTensor } from "./reading/elements.js";
export type { FileSource } from "./reading/file.js";
export type { ExchangeLimits } from "./reading/tensor_file.js";
export {
  type GivenTensors,
  type LoadReport,
  type LoadStateDictOptions,
  loadStateDict,
  saveStateDict,
  stateDict,
} from "./state_dict.js";
export { type ReadTensorsOptions, readTensors, writeTensors } from "./tensors.js";
export { importTfjs } from "./tfjs/import.js";
export type { Verification } from "./verify.js";
