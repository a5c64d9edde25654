import type { NativeLists } from "../binding/operations.js";
import type { Shape } from "./shape.js";

/** A native name in the spelling of TypeScript: `hardTanh` of `hard_tanh`. */
export type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** Which operands of a product are transposed. */
export interface Transposes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Registers of an eager instruction that draws. */
export interface EagerDraw {
  readonly seed: number;
  readonly step: number;
  /** Index of the first element that is drawn, of the initializers' operations; 0 by default. */
  readonly first?: number | undefined;
}

/** Which elements a draw belongs to. */
export interface Site {
  /** Number of the place in the network that draws. */
  readonly site: number;
  /** Rows that share a mask: 1, or the places of one example in spatial dropout. */
  readonly group: number;
  /** What is drawn from outside of a program, which has its own seed and step. */
  readonly draw: EagerDraw | undefined;
}

/** Of windows of images: [height, width, channels] of them, and of the larger images that they are taken from. */
export interface Augmented extends Omit<Site, "group"> {
  readonly large: readonly [height: number, width: number];
  readonly small: readonly [height: number, width: number];
  readonly channels: number;
  /** Row and column of the first place where a window may begin, below 0 outside of the image; and how many such places there are. */
  readonly first: readonly [row: number, column: number];
  readonly places: readonly [rows: number, columns: number];
  /** What may be turned over: left and right, top and bottom. */
  readonly flips: { readonly columns: boolean; readonly rows: boolean };
  /** What lies outside of the image. */
  readonly fill: number;
  /** From windows to images: the gradient. */
  readonly back: boolean;
}

/** Of dropout: kept elements become scale·x + shift, the others `dropped`. */
export interface DropoutAttributes extends Site {
  /** Index of the first of two schedule values that stand in the place of `keep` and `scale`. */
  readonly lane: number | undefined;
  readonly keep: number;
  readonly scale: number;
  readonly shift: number;
  readonly dropped: number;
}

/** Of multiplicative noise. */
export interface NoiseAttributes extends Site {
  readonly deviation: number;
}

/** A stretch of an axis. */
export interface Cut {
  readonly axis: number;
  readonly begin: number;
  readonly count: number;
}

/** Zeros at both ends of an axis. */
export interface Margins {
  readonly axis: number;
  readonly before: number;
  readonly after: number;
}

/** Of the normalization of rows. */
export interface RowNormAttributes {
  /** Parts of a row that are normalized by themselves. */
  readonly groups: number;
  /** Whether the mean is taken off. */
  readonly centered: boolean;
  /** The function that a caller knows, for messages. */
  readonly where: string;
}

/** Of the normalization of columns. */
export interface ColumnNormAttributes {
  readonly epsilon: number;
  /** Whether there are a scale and a shift. */
  readonly affine: boolean;
  /** Whether a lone row is normalized by running values. */
  readonly running: boolean;
}

/** Of a recurrence: the form of its cell, and which operands it has. */
export interface RecurrenceAttributes {
  readonly cell: NativeLists["cells"];
  readonly hidden: number;
  /** From the last step of each example to its first. */
  readonly reverse: boolean;
  /** Whether the update gate of a GRU stands before its reset gate. */
  readonly updateFirst: boolean;
  readonly biased: boolean;
  /** Whether the candidate of a GRU has a bias inside of the reset gate. */
  readonly bent: boolean;
  /** Whether examples have lengths. */
  readonly measured: boolean;
  /** Whether there is a state to begin with, of an LSTM with its cell. */
  readonly begun: boolean;
  readonly masked: boolean;
  /** Whether each step has a mask of its own. */
  readonly stepwise: boolean;
  /** The function that a caller knows, for messages. */
  readonly where: string;
}

/** Of an attention: its heads, what they look at, and which operands it has. */
export interface AttentionAttributes {
  readonly heads: number;
  /** Heads of keys and values, a divisor of those of queries. */
  readonly keyHeads: number;
  readonly causal: boolean;
  /** Whether queries, keys and values stand side by side in one operand. */
  readonly packed: boolean;
  /** Whether examples have lengths. */
  readonly measured: boolean;
  /** Whether these end the queries, too. */
  readonly own: boolean;
  /** Whether there is a table of angles. */
  readonly turned: boolean;
  /** Of the scores. */
  readonly scale: number;
  /** The place that drops probabilities, −1: none. */
  readonly site: number;
  readonly keep: number;
  /** What is drawn from outside of a program, which has its own seed and step. */
  readonly draw: EagerDraw | undefined;
  /** The function that a caller knows, for messages. */
  readonly where: string;
}

/** Of a softmax over the candidates of a batch: a factor of the scores, and which operands there are. */
export interface InBatchAttributes {
  readonly scale: number;
  readonly corrected: boolean;
  readonly identified: boolean;
  readonly weighed: boolean;
}

/** Of classes that are drawn as candidates. */
export interface CandidateAttributes {
  readonly samples: number;
  readonly classes: number;
  readonly logUniform: boolean;
  /** Number of the place that draws. */
  readonly site: number;
}

/** How the rows of a bag become one. */
export type BagMode = Exclude<NativeLists["bags"], "none">;

export const BAG_MODES = ["sum", "mean", "sqrtn"] as const satisfies readonly BagMode[];

/** Of a table: the row that is read as 0 and has no gradient, −1: none. */
export interface Padded {
  readonly padding: number;
}

/** Of indices of a table. */
export interface Looked extends Padded {
  /** −1 is none of its rows, and read as 0; otherwise it is refused. */
  readonly gaps: boolean;
}

/** Of bags. */
export interface Listed {
  /** Whether they are lists: then the operand behind the ids says where each ends. */
  readonly ragged: boolean;
}

/** Windows along one axis: tap r of place j lies at j·stride + r·dilation − before of `large`. */
export interface WindowAxis {
  /** Size of the axis that windows lie over. */
  readonly large: number;
  /** Windows. */
  readonly small: number;
  /** Taps of a window. */
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Places of padding in front; behind there are as many as the last window wants. */
  readonly before: number;
}

/** Of a convolution and its gradients: `channels` of the side that windows lie over, `outputs` of the other. */
export interface Convolved {
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly channels: number;
  readonly outputs: number;
  readonly groups: number;
}

/** Of a pool and its gradient. */
export interface Pooled {
  readonly rows: WindowAxis;
  readonly columns: WindowAxis;
  readonly channels: number;
  /** Whether a mean is divided by all elements of its window, padded ones too. */
  readonly countPadding: boolean;
}

/** Elementwise functions of native code, which have no attributes. */
type Pointwise = { readonly [K in CamelCase<NativeLists["unary"] | NativeLists["binary"]>]: null };

/** Every operation by name, with what its rule is told besides its inputs. `ops/rules.ts` has a rule for each. */
export interface OperationAttributes extends Pointwise {
  readonly reshape: { readonly shape: Shape };
  readonly broadcast: { readonly shape: Shape };
  readonly sum: { readonly axis: "all" | "first" | "last" };
  /** Σ over the axes [from, to). */
  readonly axisSum: { readonly from: number; readonly to: number };
  readonly sumSquares: null;
  readonly concat: { readonly axis: number };
  readonly slice: Cut;
  readonly pad: Margins;
  /** Axis i of the result is axis `order[i]`. */
  readonly transpose: { readonly order: readonly number[] };
  readonly take: Looked;
  readonly bag: Padded & Listed & { readonly mode: BagMode };
  readonly takeGradient: Looked & Listed & { readonly shape: Shape; readonly bags: NativeLists["bags"] };
  readonly where: null;
  readonly rowCount: null;
  readonly scheduleValue: { readonly lane: number };
  readonly softmax: null;
  readonly logSoftmax: null;
  readonly softmaxCrossEntropy: null;
  readonly rowNorm: RowNormAttributes & { readonly epsilon: number };
  readonly rowNormGradient: RowNormAttributes & { readonly scaled: boolean; readonly shifted: boolean };
  readonly columnNorm: ColumnNormAttributes;
  readonly columnNormGradient: ColumnNormAttributes;
  readonly scaleShift: null;
  readonly recurrence: RecurrenceAttributes;
  readonly recurrenceGradient: RecurrenceAttributes & {
    /** Which outputs something flows to. */
    readonly flowing: { readonly all: boolean; readonly last: boolean; readonly lastCell: boolean };
  };
  readonly attention: AttentionAttributes;
  readonly attentionGradient: AttentionAttributes;
  readonly inBatch: InBatchAttributes;
  readonly inBatchGradient: InBatchAttributes;
  readonly candidates: CandidateAttributes;
  readonly oneHot: { readonly classes: number };
  readonly stepMask: { readonly steps: number };
  readonly argmax: null;
  readonly countEqual: null;
  readonly matmul: Transposes;
  readonly batchedMatmul: Transposes;
  readonly linear: null;
  readonly conv: Convolved;
  /** The gradient of a convolution to its input: from the places of windows to what they lie over. */
  readonly convTransposed: Convolved;
  /** The gradient of a convolution to its weight. */
  readonly convWeight: Convolved;
  readonly maxPool: Pooled;
  readonly maxPoolGradient: Pooled;
  readonly averagePool: Pooled;
  readonly averagePoolGradient: Pooled;
  readonly augment: Augmented;
  readonly dropout: DropoutAttributes;
  readonly noise: NoiseAttributes;
}

/** Name of an operation. */
export type OperationName = keyof OperationAttributes;
