// The estimator: from a table to a model that takes raw rows.
import { introduce } from "../errors.js";
import type { TableSource } from "../table/api.js";
import { INSPECT, type Inspect, type InspectOptions, inspectDescription } from "../tensor/inspect.js";
import { type Run, startRun } from "../train/run/run.js";
import type { TabularEvent } from "./events.js";
import { type CheckedTabular, checkTabularFit, type TabularFitOptions } from "./options.js";
import { fitTabular } from "./run.js";
import type { TabularModel } from "./tabular_model.js";

/** A run of an estimator: await it for the model, iterate it for the events; it can be paused and stopped. */
export type TabularRun = Run<TabularModel, TabularEvent>;

/** Made by {@link tabular}. It keeps nothing of what it is fitted to. */
export class Tabular {
  readonly options: CheckedTabular;

  /** @internal */
  constructor(options: CheckedTabular) {
    this.options = options;
  }

  /**
   * Reads a table, guesses what its schema does not say, fits the preparation on training rows, trains the members and makes one model of them. Starts at once; a run that is
   * stopped gives the model of what has been trained so far. The same seed gives the same bits on any number of threads.
   *
   * Rejects with `CarillonError`: as {@link table}, {@link schemaOf}, {@link prepare} and {@link fit} do; `ERR_DATA` for a table of which nothing can be learned;
   * `ERR_STATE` where a run was stopped before its first epoch.
   */
  fit(source: TableSource, options: TabularFitOptions = {}): TabularRun {
    const settings = this.options;
    return startRun<TabularModel, TabularEvent>(async (context) => {
      return await fitTabular(settings, source, checkTabularFit(options), context);
    });
  }

  /** @internal */
  [INSPECT](depth: number | null, options: InspectOptions, inspect: Inspect): string {
    const { preset, epochs, folds, seed } = this.options;
    return inspectDescription({ title: "Tabular", fields: { preset, epochs, folds, seed } }, depth, options, inspect);
  }
}
introduce(Tabular.prototype, "an estimator for tables");
