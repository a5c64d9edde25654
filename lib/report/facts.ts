// What a report says, as plain data: the page, the Markdown and the JSON are made of it alone.
import type { Schema, Task } from "../table/schema/schema.js";
import type { Warning } from "../table/schema/warnings.js";
import type { Interval } from "./bootstrap.js";
import type { ReliabilityBin } from "./calibration.js";
import type { Importance } from "./columns.js";
import type { ClassFigures } from "./confusion.js";
import type { ChosenThreshold } from "./curves.js";
import type { Slice } from "./slices.js";

/** A measure of the model beside those of the two models that it must be better than. */
export interface ScoreFacts extends Interval {
  readonly measure: string;
  readonly best: "high" | "low";
  /** Of the most frequent class, or the mean. */
  readonly constant: number;
  /** Of a linear model of the same columns but texts; `undefined` where nothing but texts is there. */
  readonly linear: number | undefined;
  /** This score less that of the linear model, or of the constant where there is none, on the same rows: drawn anew together. */
  readonly difference: Interval;
}

/** Points of a line. */
export type Points = readonly (readonly [x: number, y: number])[];

/** Of a target of two classes: how well they are told apart at every threshold. */
export interface TwoClassFacts {
  readonly roc: Points;
  readonly area: number;
  readonly precisionRecall: Points;
  readonly averagePrecision: number;
  readonly chosen: ChosenThreshold & { readonly by: string };
}

/** How far probabilities can be taken at their word, as they are and at the temperature of the least log loss. */
export interface CalibrationFacts {
  readonly temperature: number;
  readonly error: number;
  readonly bins: readonly ReliabilityBin[];
  readonly calibrated: { readonly error: number; readonly bins: readonly ReliabilityBin[] };
}

/** How far values are from what is true. */
export interface ResidualFacts {
  /** Prediction and what is true, of some rows. */
  readonly points: Points;
  readonly histogram: Histogram;
  /** Quantiles of the absolute errors. */
  readonly quantiles: readonly { readonly share: number; readonly error: number }[];
}

/** Numbers by bins of equal width: as many edges as counts, and one. */
export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** What is known of one target. */
export interface TargetFacts {
  readonly target: string;
  /** `undefined` of a value. */
  readonly classes: readonly string[] | undefined;
  readonly scores: readonly ScoreFacts[];
  readonly confusion:
    | { readonly counts: readonly (readonly number[])[]; readonly classes: readonly ClassFigures[] }
    | undefined;
  readonly twoClasses: TwoClassFacts | undefined;
  readonly calibration: CalibrationFacts | undefined;
  readonly residuals: ResidualFacts | undefined;
}

/** What the model says on average where a column has a value. */
export interface DependenceFacts {
  readonly column: string;
  /** What is said: the target, or the class whose probability it is. */
  readonly of: string;
  readonly points: readonly {
    readonly value: string;
    readonly number: number | undefined;
    readonly mean: number;
    readonly rows: number;
  }[];
}

/** Weights of a layer. */
export interface WeightFacts {
  readonly name: string;
  /** Members that have such a layer; the figures are of all of them. */
  readonly members: number;
  readonly shape: readonly number[];
  /** Share that is exactly 0, as L1 makes them. */
  readonly zeros: number;
  /** Root of the mean square, which L2 makes small. */
  readonly size: number;
  readonly histogram: Histogram;
}

/** A column as it was understood. */
export interface ColumnFacts {
  readonly name: string;
  readonly kind: string;
  readonly why: string;
  readonly missing: number;
  readonly examples: readonly string[];
}

/** Everything that a report says. */
export interface ReportFacts {
  readonly version: 1;
  readonly name: string;
  readonly task: Task;
  readonly target: readonly string[];
  readonly rows: {
    readonly all: number;
    readonly measured: number;
    /** `'held out'`: by members that had not seen them; `'test'`: rows of their own. */
    readonly how: "held out" | "test";
    /** Rows that were drawn from all to be looked at, where they are too many. */
    readonly sample?: number | undefined;
  };
  readonly warnings: readonly Warning[];
  readonly targets: readonly TargetFacts[];
  readonly importance: { readonly measure: string; readonly rows: number; readonly columns: readonly Importance[] };
  readonly dependence: readonly DependenceFacts[];
  readonly slices: { readonly error: string; readonly mean: number; readonly worst: readonly Slice[] };
  readonly training: readonly {
    readonly name: string;
    readonly weight: number;
    readonly best: number | undefined;
    /** Whether it was trained once more, on all rows, for so many epochs. */
    readonly again?: boolean | undefined;
    readonly epochs: readonly { readonly epoch: number; readonly loss: number; readonly validationLoss: number }[];
  }[];
  readonly weights: readonly WeightFacts[];
  readonly columns: readonly ColumnFacts[];
  readonly schema: Schema;
  readonly cost: {
    readonly microsecondsPerRow: number;
    readonly microsecondsAlone: number;
    readonly parameters: number | undefined;
    readonly bytes: number | undefined;
    readonly seconds: number | undefined;
  };
  readonly made: {
    readonly command: string | undefined;
    readonly job: unknown;
    readonly seed: number | undefined;
    readonly numericsVersion: number;
    readonly isa: string;
    readonly node: string;
  };
}
