import { Family, kind, plain } from "../../described.js";
import { metricsLog } from "../log/metrics_log.js";
import { tensorBoard } from "../log/tensor_board.js";
import type { Callback } from "./callback.js";
import { earlyStopping } from "./early_stopping.js";
import { reduceOnPlateau } from "./reduce_on_plateau.js";

const MONITOR = { monitor: plain, minDelta: plain, mode: plain, every: plain, name: plain };

/** Callbacks by kind. */
export const callbacks = new Family<Callback>("callback", {
  earlyStopping: kind(earlyStopping, { ...MONITOR, patience: plain, restoreBest: plain, ties: plain }),
  reduceOnPlateau: kind(reduceOnPlateau, {
    ...MONITOR,
    factor: plain,
    patience: plain,
    cooldown: plain,
    minScale: plain,
  }),
  metricsLog: kind(metricsLog, { path: plain, every: plain, name: plain }),
  tensorBoard: kind(tensorBoard, { dir: plain, every: plain, histograms: plain, name: plain }),
});
