/// <reference types="node" preserve="true" />
export { type ModelJson, modelFromJson, modelToJson } from "./json.js";
