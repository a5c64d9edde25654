import { madeBy } from "../../described.js";
import { CarillonError } from "../../errors.js";
import * as ops from "../../ops/index.js";
import { checkKeys, checkNumber } from "../../options.js";
import { elements, formatShape } from "../../tensor/shape.js";
import { tensor } from "../../tensor/tensor.js";
import { defineLayer, type Layer } from "../structure/layer.js";

/** Options of {@link monotoneQuantiles}. */
export interface MonotoneQuantilesOptions {
  readonly name?: string | undefined;
}

/**
 * Quantiles that never cross, in front of {@link pinball}: of every `count` features the first stays, and each other one is added to the one before
 * it as a distance,
 *
 *     y[0] = x[0],  y[q] = y[q − 1] + ln(1 + e^x[q])
 *
 * x, y: [batch, …, n·count]; another last axis is `ERR_SHAPE`. Rounding keeps the order, as a distance is never negative. After a non-crossing form of quantile
 * regression (Bondell, Reich, Wang 2010) as heads of networks have it.
 */
export function monotoneQuantiles(count: number, options: MonotoneQuantilesOptions = {}): Layer<number, "same", "f32"> {
  checkNumber("monotoneQuantiles.count", count, { min: 2, integer: true });
  checkKeys("monotoneQuantiles", options, ["name"]);
  const { name } = options;
  const isFirst = tensor(Float32Array.from({ length: count }, (_, place) => (place === 0 ? 1 : 0)));
  // Each quantile is one chain over those before it, so that it is the one before and a distance, rounded once.
  const places = Array.from({ length: count * count }, (_, index) =>
    index % count >= Math.floor(index / count) ? 1 : 0,
  );
  const summed = tensor(Float32Array.from(places), [count, count]);
  const layer = defineLayer({
    kind: "monotoneQuantiles",
    outputs: "same",
    name,
    config: { count },
    forward: (x) => {
      const [batch = 1, ...axes] = x.shape;
      const columns = axes.at(-1);
      if (typeof columns !== "number" || columns % count !== 0) {
        const expected = `expected a multiple of ${count} features for '${name ?? "monotoneQuantiles"}'`;
        const received = formatShape(x.shape);
        throw new CarillonError("ERR_SHAPE", name ?? "monotoneQuantiles", `${expected} but received ${received}`);
      }
      const own = ops.reshape(x, [batch, elements(axes) / count, count]);
      const steps = ops.where(ops.greater(ops.broadcast(isFirst, own.shape), 0), own, ops.softplus(own));
      return ops.reshape(ops.matmul(steps, summed), x.shape);
    },
  });
  return madeBy("monotoneQuantiles", { count, name }, layer);
}
