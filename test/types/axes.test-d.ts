// Operations on axes: what has data and of which dtype, and options that are none.
import { ops, type Tensor, tensor, type Value } from "../../lib/index.js";

declare const symbol: Value;
const floats = tensor([1, 2]);
const integers = tensor(Int32Array.of(0, 1));

const joined: Tensor<"f32"> = ops.concat([floats, floats]);
const cut: Tensor<"i32"> = ops.slice(integers, 1);
const taken: Tensor<"f32"> = ops.take(floats, integers);
const chosen: Tensor<"f32"> = ops.where(ops.less(floats, 1), floats, 0);
const total: Tensor<"f32"> = ops.sum(floats, { axis: [0], keepDims: true });
export const known = [joined, cut, taken, chosen, total];

// @ts-expect-error a symbol among the parts: there is no data yet
ops.concat([floats, symbol]).data;
// @ts-expect-error the indices are not known yet
ops.take(floats, symbol).data;
// @ts-expect-error integers stay integers
const wrong: Tensor<"f32"> = ops.slice(integers, 1);
// @ts-expect-error no axis has this name
ops.sum(floats, { axis: "rows" });
// @ts-expect-error it is keepDims
ops.mean(floats, { axis: 0, keepdim: true });
// @ts-expect-error one value is no list of values
ops.concat(floats);
export const mistaken = wrong;
