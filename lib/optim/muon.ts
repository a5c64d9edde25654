import { madeBy } from "../described.js";
import { CarillonError, fail } from "../errors.js";
import * as ops from "../ops/index.js";
import { checkBoolean, checkKeys, checkNumber } from "../options.js";
import { formatShape } from "../tensor/shape.js";
import type { Value } from "../tensor/value.js";
import { type DefinedOptimizer, definedOptimizer, type OptimizerDefinition } from "./define_optimizer.js";
import type { Schedule } from "./schedule.js";

/** Options of {@link muon}. */
export interface MuonOptions {
  /** Learning rate η ≥ 0, 0.02 by default. */
  readonly lr?: number | Schedule | undefined;
  /** β in [0, 1), 0.95 by default. */
  readonly momentum?: number | undefined;
  /** Looks ahead along the momentum; true by default. */
  readonly nesterov?: boolean | undefined;
  /** Decoupled decay λ ≥ 0, 0 by default. */
  readonly weightDecay?: number | Schedule | undefined;
}

const DEFAULT_LR = 0.02;
const DEFAULT_MOMENTUM = 0.95;

/** Coefficients of the quintic iteration, and how often it is made. */
const [LINEAR, CUBIC, QUINTIC] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;

/** Least norm that a matrix is divided by: a gradient of 0 gives a step of 0. */
const SMALLEST_NORM = 1e-7;

/**
 * Five Newton–Schulz steps `X ← aX + (bA + cA²)X`, A = XXᵀ, from the matrix over its Frobenius norm. With more rows than
 * columns the same from the other side, `X ← aX + X(bA + cA²)`, A = XᵀX: the smaller square, and nothing is transposed.
 */
function orthogonalized(matrix: Value, tall: boolean): Value {
  let x = ops.divide(matrix, ops.maximum(ops.sqrt(ops.sumSquares(matrix)), SMALLEST_NORM));
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const square = ops.matmul(x, x, tall ? { transposeA: true } : { transposeB: true });
    const polynomial = ops.add(ops.multiply(CUBIC, square), ops.multiply(QUINTIC, ops.matmul(square, square)));
    x = ops.add(ops.multiply(LINEAR, x), tall ? ops.matmul(x, polynomial) : ops.matmul(polynomial, x));
  }
  return x;
}

/**
 * Muon, for hidden weight matrices: the momentum is orthogonalized, so that all its directions are learned alike.
 *
 * `V ← βV + g`, `D = g + βV` (Nesterov) or `V`; X = D/‖D‖_F, five times `X ← aX + bAX + cA²X` with A = XXᵀ and
 * (a, b, c) = (3.4445, −4.7750, 2.0315), all in f32; `θ ← θ − η·√max(1, rows/columns)·X`. V is the state `momentum`.
 *
 * Jordan et al. 2024. Use {@link partition} to give biases, tables and the output layer to {@link adamw}; a parameter that is
 * no weight matrix is `ERR_SHAPE`.
 */
export function muon(options: MuonOptions = {}): DefinedOptimizer {
  checkKeys("muon", options, ["lr", "momentum", "nesterov", "weightDecay"]);
  const beta = checkNumber("muon.momentum", options.momentum ?? DEFAULT_MOMENTUM, { min: 0, below: 1 });
  const nesterov = checkBoolean("muon.nesterov", options.nesterov ?? true);
  if (options.nesterov === true && beta === 0) {
    fail("ERR_OPTION", "muon.momentum", "a number > 0, which nesterov needs,", beta);
  }
  const definition: OptimizerDefinition = {
    kind: "muon",
    lr: options.lr ?? DEFAULT_LR,
    states: { momentum: 0 },
    weightDecay: options.weightDecay,
    update({ name, role, parameter, gradient, states, rate }) {
      const [rows, columns] = parameter.shape;
      const matrix = parameter.shape.length === 2 && typeof rows === "number" && typeof columns === "number";
      if (!matrix || role !== "weight") {
        const received = matrix ? `a ${role}` : formatShape(parameter.shape);
        throw new CarillonError(
          "ERR_SHAPE",
          name,
          `expected a ${matrix ? "weight " : ""}matrix for 'muon' but '${name}' is ${received}: give it to another optimizer`,
        );
      }
      const before = states.momentum ?? gradient;
      const momentum = ops.flush(ops.add(ops.multiply(beta, before), gradient));
      const direction = nesterov ? ops.add(gradient, ops.multiply(beta, momentum)) : momentum;
      const x = orthogonalized(direction, rows > columns);
      const scale = Math.sqrt(Math.max(1, rows / columns));
      return { parameter: ops.subtract(parameter, ops.multiply(ops.multiply(rate, scale), x)), states: { momentum } };
    },
  };
  const made = definedOptimizer(definition, [beta, nesterov ? 1 : 0]);
  const ahead = beta > 0 ? { nesterov } : {};
  return madeBy("muon", { lr: made.lr, momentum: beta, ...ahead, weightDecay: made.decay?.lambda ?? 0 }, made);
}
