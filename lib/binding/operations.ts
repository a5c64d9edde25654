// Written by `npm run operations` from what native/ops/*.cc states. A test holds it equal to the addon.

/** Names that native code numbers, by list. */
export interface NativeLists {
  readonly unary:
    | "negate"
    | "absolute"
    | "sign"
    | "exp"
    | "log"
    | "sqrt"
    | "square"
    | "reciprocal"
    | "relu"
    | "tanh"
    | "sigmoid"
    | "flush"
    | "log1p"
    | "expm1"
    | "erf"
    | "sin"
    | "cos"
    | "softplus"
    | "gelu"
    | "gelu_slope"
    | "gelu_tanh"
    | "gelu_tanh_slope"
    | "silu"
    | "silu_slope"
    | "mish"
    | "mish_slope"
    | "selu"
    | "selu_slope"
    | "relu6"
    | "relu6_slope"
    | "hard_tanh"
    | "hard_tanh_slope"
    | "hard_sigmoid"
    | "hard_sigmoid_slope"
    | "hard_silu"
    | "hard_silu_slope";
  readonly binary:
    | "add"
    | "subtract"
    | "multiply"
    | "divide"
    | "minimum"
    | "maximum"
    | "greater"
    | "greater_equal"
    | "less"
    | "less_equal"
    | "equal"
    | "not_equal"
    | "relu_gradient"
    | "tanh_gradient"
    | "leaky_relu"
    | "leaky_relu_slope"
    | "elu"
    | "elu_slope";
  readonly activations: "identity" | "relu" | "tanh";
  readonly optimizers:
    | "sgd"
    | "momentum"
    | "adagrad"
    | "rmsprop"
    | "rmsprop_momentum"
    | "rmsprop_centered"
    | "rmsprop_centered_momentum"
    | "adam"
    | "amsgrad"
    | "nadam"
    | "radam"
    | "adamax"
    | "adadelta"
    | "lion";
  readonly spreads: "full" | "scalar" | "row" | "column";
  readonly dtypes: "f32" | "i32" | "u8";
  readonly layouts: "plain" | "transposed" | "packed";
  readonly bags: "none" | "sum" | "mean" | "sqrtn";
  readonly reaches: "all" | "touched" | "moving";
  readonly gates: "none" | "positive" | "tanh" | "gelu" | "silu";
  readonly cells: "lstm" | "gru" | "gru_before" | "rnn_tanh" | "rnn_relu";
  readonly forms: "f32" | "bf16" | "int8";
}

/** What an instruction of each native operation is given, by name; V stands for a view. */
export interface NativeOperands<V> {
  readonly unary: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly count: number; readonly function: NativeLists["unary"] };
  };
  readonly binary: {
    readonly views: { readonly a: V; readonly b: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly function: NativeLists["binary"];
      readonly spreadA: NativeLists["spreads"];
      readonly spreadB: NativeLists["spreads"];
    };
  };
  readonly binary_spread: {
    readonly views: { readonly a: V; readonly b: V; readonly y: V };
    readonly numbers: {
      readonly outer: number;
      readonly function: NativeLists["binary"];
      readonly strideA: number;
      readonly strideB: number;
      readonly axes: readonly { readonly size: number; readonly strideA: number; readonly strideB: number }[];
    };
  };
  readonly where: {
    readonly views: { readonly condition: V; readonly a: V; readonly b: V; readonly y: V };
    readonly numbers: {
      readonly outer: number;
      readonly strideCondition: number;
      readonly strideA: number;
      readonly strideB: number;
      readonly axes: readonly {
        readonly size: number;
        readonly strideCondition: number;
        readonly strideA: number;
        readonly strideB: number;
      }[];
    };
  };
  readonly fill: {
    readonly views: { readonly y: V };
    readonly numbers: { readonly count: number; readonly value: number };
  };
  readonly copy: { readonly views: { readonly x: V; readonly y: V }; readonly numbers: { readonly count: number } };
  readonly gemm: {
    readonly views: { readonly a: V; readonly b: V; readonly bias?: V | null | undefined; readonly c: V };
    readonly numbers: {
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly transposeA?: boolean | undefined;
      readonly layoutB?: NativeLists["layouts"] | undefined;
      readonly activation?: NativeLists["activations"] | undefined;
      readonly accumulate?: boolean | undefined;
    };
  };
  readonly gemm_fused: {
    readonly views: {
      readonly a: V;
      readonly b: V;
      readonly bias?: V | null | undefined;
      readonly c: V;
      readonly gate?: V | null | undefined;
    };
    readonly numbers: {
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly transposeA?: boolean | undefined;
      readonly layoutB?: NativeLists["layouts"] | undefined;
      readonly activation?: NativeLists["activations"] | undefined;
      readonly accumulate?: boolean | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly backward?: NativeLists["gates"] | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
      readonly gateScale?: number | undefined;
    };
  };
  readonly gemm_pack: {
    readonly views: { readonly b: V; readonly packed: V };
    readonly numbers: { readonly n: number; readonly k: number; readonly alongDepth: boolean };
  };
  readonly gemm_batch: {
    readonly views: { readonly a: V; readonly b: V; readonly c: V };
    readonly numbers: {
      readonly products: number;
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly transposeA?: boolean | undefined;
      readonly transposeB?: boolean | undefined;
    };
  };
  readonly conv: {
    readonly views: {
      readonly x: V;
      readonly w: V;
      readonly bias?: V | null | undefined;
      readonly y: V;
      readonly gate?: V | null | undefined;
    };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly outputs: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly dilationHeight: number;
      readonly dilationWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly groups: number;
      readonly activation?: NativeLists["activations"] | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly backward?: NativeLists["gates"] | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
      readonly gateScale?: number | undefined;
    };
  };
  readonly conv_transposed: {
    readonly views: {
      readonly x: V;
      readonly w: V;
      readonly bias?: V | null | undefined;
      readonly y: V;
      readonly gate?: V | null | undefined;
    };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly outputs: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly dilationHeight: number;
      readonly dilationWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly groups: number;
      readonly activation?: NativeLists["activations"] | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly backward?: NativeLists["gates"] | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
      readonly gateScale?: number | undefined;
    };
  };
  readonly conv_weight: {
    readonly views: { readonly x: V; readonly g: V; readonly dw: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly outputs: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly dilationHeight: number;
      readonly dilationWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly groups: number;
    };
  };
  readonly max_pool: {
    readonly views: { readonly x: V; readonly picked?: V | null | undefined; readonly y: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
    };
  };
  readonly max_pool_gradient: {
    readonly views: { readonly x: V; readonly g: V; readonly dx: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly gated?: boolean | undefined;
    };
  };
  readonly average_pool: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly countPadding?: boolean | undefined;
    };
  };
  readonly average_pool_gradient: {
    readonly views: { readonly g: V; readonly dx: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly kernelHeight: number;
      readonly kernelWidth: number;
      readonly strideHeight: number;
      readonly strideWidth: number;
      readonly beforeHeight: number;
      readonly beforeWidth: number;
      readonly countPadding?: boolean | undefined;
    };
  };
  readonly augment: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly images: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
      readonly outHeight: number;
      readonly outWidth: number;
      readonly top: number;
      readonly left: number;
      readonly tops: number;
      readonly lefts: number;
      readonly flipColumns: boolean;
      readonly flipRows: boolean;
      readonly back?: boolean | undefined;
      readonly site: number;
      readonly exampleImages: number;
      readonly fill?: number | undefined;
    };
  };
  readonly sum: { readonly views: { readonly x: V; readonly sum: V }; readonly numbers: { readonly count: number } };
  readonly sum_squares: {
    readonly views: { readonly x: V; readonly sum: V };
    readonly numbers: { readonly count: number };
  };
  readonly row_sum: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly column_sum: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly axis_sum: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly outer: number; readonly rows: number; readonly columns: number };
  };
  readonly softmax: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly log_softmax: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly softmax_cross_entropy: {
    readonly views: { readonly logits: V; readonly labels: V; readonly losses: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly softmax_cross_entropy_gradient: {
    readonly views: { readonly logits: V; readonly labels: V; readonly lossGradient: V; readonly logitsGradient: V };
    readonly numbers: { readonly rows: number; readonly columns: number; readonly same: boolean };
  };
  readonly softmax_cross_entropy_both: {
    readonly views: {
      readonly logits: V;
      readonly labels: V;
      readonly lossGradient: V;
      readonly logitsGradient: V;
      readonly losses: V;
    };
    readonly numbers: { readonly rows: number; readonly columns: number; readonly same: boolean };
  };
  readonly row_norm: {
    readonly views: {
      readonly x: V;
      readonly scale?: V | null | undefined;
      readonly shift?: V | null | undefined;
      readonly y: V;
      readonly inverse: V;
      readonly mean?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly groups: number;
      readonly function?: NativeLists["unary"] | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly epsilon: number;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
    };
  };
  readonly row_norm_gradient: {
    readonly views: {
      readonly x: V;
      readonly g: V;
      readonly scale?: V | null | undefined;
      readonly inverse: V;
      readonly mean?: V | null | undefined;
      readonly dx: V;
      readonly dscale?: V | null | undefined;
      readonly dshift?: V | null | undefined;
    };
    readonly numbers: { readonly rows: number; readonly columns: number; readonly groups: number };
  };
  readonly column_norm: {
    readonly views: {
      readonly x: V;
      readonly scale?: V | null | undefined;
      readonly shift?: V | null | undefined;
      readonly runningMean?: V | null | undefined;
      readonly runningVariance?: V | null | undefined;
      readonly y: V;
      readonly mean: V;
      readonly variance: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly function?: NativeLists["unary"] | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly epsilon: number;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
    };
  };
  readonly column_norm_gradient: {
    readonly views: {
      readonly x: V;
      readonly g: V;
      readonly scale?: V | null | undefined;
      readonly mean: V;
      readonly variance: V;
      readonly dx: V;
      readonly dscale?: V | null | undefined;
      readonly dshift?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly running: boolean;
      readonly epsilon: number;
    };
  };
  readonly scale_shift: {
    readonly views: { readonly x: V; readonly scale: V; readonly shift: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly function?: NativeLists["unary"] | undefined;
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
    };
  };
  readonly recurrence: {
    readonly views: {
      readonly x: V;
      readonly weight: V;
      readonly recurrent: V;
      readonly bias?: V | null | undefined;
      readonly candidate?: V | null | undefined;
      readonly lengths?: V | null | undefined;
      readonly state?: V | null | undefined;
      readonly cellState?: V | null | undefined;
      readonly mask?: V | null | undefined;
      readonly y: V;
      readonly gates: V;
      readonly cells?: V | null | undefined;
      readonly last: V;
      readonly lastCell?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly steps: number;
      readonly inputs: number;
      readonly hidden: number;
      readonly cell: NativeLists["cells"];
      readonly reverse?: boolean | undefined;
      readonly updateFirst?: boolean | undefined;
      readonly stepwise?: boolean | undefined;
    };
  };
  readonly recurrence_gradient: {
    readonly views: {
      readonly x: V;
      readonly recurrent: V;
      readonly gates: V;
      readonly y: V;
      readonly cells?: V | null | undefined;
      readonly lengths?: V | null | undefined;
      readonly state?: V | null | undefined;
      readonly cellState?: V | null | undefined;
      readonly mask?: V | null | undefined;
      readonly dy?: V | null | undefined;
      readonly dlast?: V | null | undefined;
      readonly dlastCell?: V | null | undefined;
      readonly flow: V;
      readonly dweight: V;
      readonly drecurrent: V;
      readonly dbias: V;
      readonly dcandidate?: V | null | undefined;
      readonly dstate?: V | null | undefined;
      readonly dcellState?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly steps: number;
      readonly inputs: number;
      readonly hidden: number;
      readonly cell: NativeLists["cells"];
      readonly reverse?: boolean | undefined;
      readonly updateFirst?: boolean | undefined;
      readonly stepwise?: boolean | undefined;
    };
  };
  readonly attention: {
    readonly views: {
      readonly query: V;
      readonly key?: V | null | undefined;
      readonly value?: V | null | undefined;
      readonly lengths?: V | null | undefined;
      readonly rotation?: V | null | undefined;
      readonly y: V;
      readonly maxima?: V | null | undefined;
      readonly sums?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly queries: number;
      readonly keys: number;
      readonly heads: number;
      readonly keyHeads: number;
      readonly size: number;
      readonly causal?: boolean | undefined;
      readonly own?: boolean | undefined;
      readonly batched?: boolean | undefined;
      readonly site?: number | undefined;
      readonly scale: number;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
    };
  };
  readonly attention_gradient: {
    readonly views: {
      readonly query: V;
      readonly key?: V | null | undefined;
      readonly value?: V | null | undefined;
      readonly lengths?: V | null | undefined;
      readonly rotation?: V | null | undefined;
      readonly maxima: V;
      readonly sums: V;
      readonly dy: V;
      readonly dquery: V;
      readonly dkey?: V | null | undefined;
      readonly dvalue?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly queries: number;
      readonly keys: number;
      readonly heads: number;
      readonly keyHeads: number;
      readonly size: number;
      readonly causal?: boolean | undefined;
      readonly own?: boolean | undefined;
      readonly batched?: boolean | undefined;
      readonly site?: number | undefined;
      readonly scale: number;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
    };
  };
  readonly attention_cached: {
    readonly views: {
      readonly packed: V;
      readonly slots: V;
      readonly places: V;
      readonly rotation?: V | null | undefined;
      readonly keys: V;
      readonly values: V;
      readonly y: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly heads: number;
      readonly keyHeads: number;
      readonly size: number;
      readonly slotCount: number;
      readonly room: number;
      readonly scale: number;
    };
  };
  readonly periodic: {
    readonly views: {
      readonly x: V;
      readonly frequency: V;
      readonly phase: V;
      readonly weight: V;
      readonly bias: V;
      readonly y: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly frequencies: number;
      readonly mixes: number;
      readonly factor: number;
    };
  };
  readonly periodic_gradient: {
    readonly views: {
      readonly x: V;
      readonly frequency: V;
      readonly phase: V;
      readonly weight: V;
      readonly g: V;
      readonly dweight: V;
      readonly dphase: V;
      readonly dfrequency: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly frequencies: number;
      readonly mixes: number;
      readonly factor: number;
    };
  };
  readonly parametric: {
    readonly views: {
      readonly x: V;
      readonly share: V;
      readonly y: V;
      readonly bend?: V | null | undefined;
      readonly mask?: V | null | undefined;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly function: NativeLists["unary"];
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly lane?: number | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
      readonly factor?: number | undefined;
    };
  };
  readonly parametric_gradient: {
    readonly views: {
      readonly g: V;
      readonly x: V;
      readonly share: V;
      readonly bend: V;
      readonly mask?: V | null | undefined;
      readonly dx: V;
      readonly dshare: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly function: NativeLists["unary"];
      readonly site?: number | undefined;
      readonly exampleRows?: number | undefined;
      readonly lane?: number | undefined;
      readonly keep?: number | undefined;
      readonly keepScale?: number | undefined;
      readonly factor?: number | undefined;
    };
  };
  readonly one_hot: {
    readonly views: { readonly labels: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly classes: number };
  };
  readonly step_mask: {
    readonly views: { readonly lengths: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly steps: number };
  };
  readonly in_batch: {
    readonly views: {
      readonly left: V;
      readonly right: V;
      readonly taken?: V | null | undefined;
      readonly ids?: V | null | undefined;
      readonly weights?: V | null | undefined;
      readonly losses: V;
    };
    readonly numbers: { readonly rows: number; readonly columns: number; readonly scale: number };
  };
  readonly in_batch_gradient: {
    readonly views: {
      readonly left: V;
      readonly right: V;
      readonly taken?: V | null | undefined;
      readonly ids?: V | null | undefined;
      readonly weights?: V | null | undefined;
      readonly flow: V;
      readonly dleft: V;
      readonly dright: V;
    };
    readonly numbers: { readonly rows: number; readonly columns: number; readonly scale: number };
  };
  readonly candidates: {
    readonly views: {
      readonly labels: V;
      readonly ids: V;
      readonly expected: V;
      readonly labelExpected: V;
      readonly keep: V;
    };
    readonly numbers: {
      readonly rows: number;
      readonly samples: number;
      readonly classes: number;
      readonly logUniform: boolean;
      readonly site: number;
    };
  };
  readonly argmax: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly rows: number; readonly columns: number };
  };
  readonly count_equal: {
    readonly views: { readonly a: V; readonly b: V; readonly equal: V };
    readonly numbers: { readonly count: number };
  };
  readonly dropout: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly site: number;
      readonly group: number;
      readonly exampleRows: number;
      readonly lane?: number | undefined;
      readonly keep: number;
      readonly scale: number;
      readonly shift: number;
      readonly dropped: number;
    };
  };
  readonly noise: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly site: number;
      readonly group: number;
      readonly exampleRows: number;
      readonly deviation: number;
    };
  };
  readonly gather: {
    readonly views: { readonly source: V; readonly order: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly sourceRows: number;
      readonly dtype: NativeLists["dtypes"];
      readonly scale: number;
    };
  };
  readonly gather_ends: {
    readonly views: { readonly bounds: V; readonly order: V; readonly ends: V };
    readonly numbers: { readonly rows: number; readonly sourceRows: number; readonly width: number };
  };
  readonly gather_lists: {
    readonly views: { readonly source: V; readonly bounds: V; readonly order: V; readonly y: V };
    readonly numbers: {
      readonly rows: number;
      readonly sourceRows: number;
      readonly width: number;
      readonly entries: number;
      readonly room: number;
    };
  };
  readonly take: {
    readonly views: { readonly table: V; readonly indices: V; readonly y: V };
    readonly numbers: {
      readonly count: number;
      readonly tableRows: number;
      readonly columns: number;
      readonly width: number;
      readonly padding?: number | undefined;
      readonly gaps?: boolean | undefined;
    };
  };
  readonly bag: {
    readonly views: {
      readonly table: V;
      readonly ids: V;
      readonly weights?: V | null | undefined;
      readonly ends?: V | null | undefined;
      readonly y: V;
    };
    readonly numbers: {
      readonly bags: number;
      readonly tableRows: number;
      readonly columns: number;
      readonly width: number;
      readonly padding?: number | undefined;
      readonly mode: NativeLists["bags"];
    };
  };
  readonly take_gradient: {
    readonly views: {
      readonly gradient: V;
      readonly indices: V;
      readonly weights?: V | null | undefined;
      readonly ends?: V | null | undefined;
      readonly y: V;
    };
    readonly numbers: {
      readonly count: number;
      readonly lists?: number | undefined;
      readonly tableRows: number;
      readonly columns: number;
      readonly width: number;
      readonly padding?: number | undefined;
      readonly bags?: NativeLists["bags"] | undefined;
      readonly gaps?: boolean | undefined;
    };
  };
  readonly scatter_rows: {
    readonly views: {
      readonly gradient: V;
      readonly indices: V;
      readonly weights?: V | null | undefined;
      readonly ends?: V | null | undefined;
      readonly count: V;
      readonly rows: V;
      readonly sums: V;
    };
    readonly numbers: {
      readonly count: number;
      readonly lists?: number | undefined;
      readonly tableRows: number;
      readonly columns: number;
      readonly width: number;
      readonly padding?: number | undefined;
      readonly bags?: NativeLists["bags"] | undefined;
      readonly gaps?: boolean | undefined;
    };
  };
  readonly merge_rows: {
    readonly views: {
      readonly count: V;
      readonly rows: V;
      readonly sums: V;
      readonly totalCount: V;
      readonly totalRows: V;
      readonly totalSums: V;
    };
    readonly numbers: {
      readonly room: number;
      readonly totalRoom: number;
      readonly tableRows: number;
      readonly columns: number;
    };
  };
  readonly rows_squares: {
    readonly views: { readonly count: V; readonly rows: V; readonly sums: V; readonly sum: V };
    readonly numbers: { readonly room: number; readonly tableRows: number; readonly columns: number };
  };
  readonly concat: {
    readonly views: { readonly parts: readonly V[]; readonly y: V };
    readonly numbers: { readonly outer: number; readonly parts: readonly { readonly columns: number }[] };
  };
  readonly slice: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly outer: number;
      readonly columns: number;
      readonly begin: number;
      readonly count: number;
    };
  };
  readonly pad: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly outer: number;
      readonly columns: number;
      readonly before: number;
      readonly after: number;
    };
  };
  readonly transpose: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: {
      readonly outer: number;
      readonly axes: readonly { readonly size: number; readonly stride: number }[];
    };
  };
  readonly collect: {
    readonly views: { readonly x: V; readonly kept: V };
    readonly numbers: {
      readonly rows: number;
      readonly columns: number;
      readonly batch: number;
      readonly steps: number;
    };
  };
  readonly convert: {
    readonly views: { readonly x: V; readonly y: V };
    readonly numbers: { readonly count: number; readonly scale: number };
  };
  readonly row_count: { readonly views: { readonly y: V }; readonly numbers: Readonly<Record<string, never>> };
  readonly schedule_value: { readonly views: { readonly y: V }; readonly numbers: { readonly lane: number } };
  readonly uniform: {
    readonly views: { readonly y: V };
    readonly numbers: {
      readonly count: number;
      readonly hashLow: number;
      readonly hashHigh: number;
      readonly low: number;
      readonly high: number;
    };
  };
  readonly normal: {
    readonly views: { readonly y: V };
    readonly numbers: {
      readonly count: number;
      readonly hashLow: number;
      readonly hashHigh: number;
      readonly mean: number;
      readonly deviation: number;
    };
  };
  readonly permutation: {
    readonly views: { readonly order: V };
    readonly numbers: { readonly count: number; readonly shuffled: boolean };
  };
  readonly update: {
    readonly views: {
      readonly parameters: V;
      readonly gradients: V;
      readonly states: readonly V[];
      readonly average?: V | null | undefined;
      readonly gradientScale?: V | null | undefined;
      readonly penalty?: V | null | undefined;
      readonly count?: V | null | undefined;
      readonly rows?: V | null | undefined;
      readonly indices?: V | null | undefined;
      readonly weights?: V | null | undefined;
      readonly ends?: V | null | undefined;
      readonly squares?: V | null | undefined;
    };
    readonly numbers: {
      readonly count?: number | undefined;
      readonly lists?: number | undefined;
      readonly rule: NativeLists["optimizers"];
      readonly lane: number;
      readonly scalars: number;
      readonly averageLane?: boolean | undefined;
      readonly decayLane?: number | undefined;
      readonly reach?: NativeLists["reaches"] | undefined;
      readonly room?: number | undefined;
      readonly width?: number | undefined;
      readonly padding?: number | undefined;
      readonly bags?: NativeLists["bags"] | undefined;
      readonly gaps?: boolean | undefined;
      readonly constants: readonly number[];
      readonly clipValue: number;
      readonly averageDecay?: number | undefined;
      readonly segments: readonly {
        readonly offset: number;
        readonly rows: number;
        readonly columns: number;
        readonly metric: boolean;
        readonly l2: number;
        readonly l1: number;
        readonly decay: number;
        readonly scheduledDecay: number;
        readonly shrink: number;
        readonly maxNorm: number;
        readonly penaltySquares: number;
        readonly penaltyAbsolutes: number;
      }[];
    };
  };
  readonly log_scalar: { readonly views: { readonly x: V }; readonly numbers: { readonly column: number } };
  readonly expect_finite: {
    readonly views: {
      readonly x: V;
      readonly left?: V | null | undefined;
      readonly right?: V | null | undefined;
      readonly count?: V | null | undefined;
      readonly rows?: V | null | undefined;
      readonly indices?: V | null | undefined;
      readonly weights?: V | null | undefined;
      readonly ends?: V | null | undefined;
    };
    readonly numbers: {
      readonly leftCount?: number | undefined;
      readonly rightCount?: number | undefined;
      readonly count?: number | undefined;
      readonly lists?: number | undefined;
      readonly every: number;
      readonly room?: number | undefined;
      readonly columns?: number | undefined;
      readonly compact?: boolean | undefined;
      readonly width?: number | undefined;
      readonly padding?: number | undefined;
      readonly bags?: NativeLists["bags"] | undefined;
      readonly gaps?: boolean | undefined;
      readonly ranges: readonly { readonly offset: number; readonly count: number; readonly check: number }[];
    };
  };
  readonly frozen_pack: {
    readonly views: { readonly weights: V; readonly packed: V };
    readonly numbers: {
      readonly n: number;
      readonly k: number;
      readonly alongDepth: boolean;
      readonly form: NativeLists["forms"];
    };
  };
  readonly frozen_product: {
    readonly views: {
      readonly x: V;
      readonly packed: V;
      readonly bias?: V | null | undefined;
      readonly scale?: V | null | undefined;
      readonly shift?: V | null | undefined;
      readonly c: V;
    };
    readonly numbers: {
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly form: NativeLists["forms"];
      readonly function?: NativeLists["unary"] | undefined;
    };
  };
}

/** Name of a native operation. */
export type NativeOperation = keyof NativeOperands<unknown>;

/** The operands of every operation in the words of native/ops/operation.h: views; integers; doubles. */
export const OPERANDS: Readonly<Record<NativeOperation, string>> = {
  unary: "x:f y:F; count:d function:unary; ",
  binary: "a:f b:f y:F; rows:d columns:d function:binary spread_a:spreads spread_b:spreads; ",
  binary_spread: "a:f b:f y:F; outer:d function:binary stride_a:i stride_b:i axes*(size,stride_a,stride_b); ",
  where:
    "condition:f a:f b:f y:F; outer:d stride_condition:i stride_a:i stride_b:i axes*(size,stride_condition,stride_a,stride_b); ",
  fill: "y:F; count:d; value",
  copy: "x:f y:F; count:d; ",
  gemm: "a:f b:f bias:f? c:F; m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b?; ",
  gemm_fused:
    "a:f b:f bias:f? c:F gate:f?; m:d n:d k:d transpose_a:b? layout_b:layouts? activation:activations? accumulate:b? site:i?-1 example_rows:i? backward:gates?; keep?1 keep_scale?1 gate_scale?1",
  gemm_pack: "b:f packed:F; n:d k:d along_depth:b; ",
  gemm_batch: "a:f b:f c:F; products:d m:i n:i k:i transpose_a:b? transpose_b:b?; ",
  conv: "x:f w:f bias:f? y:F gate:f?; images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i activation:activations? site:i?-1 example_rows:i? backward:gates?; keep?1 keep_scale?1 gate_scale?1",
  conv_transposed:
    "x:f w:f bias:f? y:F gate:f?; images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i activation:activations? site:i?-1 example_rows:i? backward:gates?; keep?1 keep_scale?1 gate_scale?1",
  conv_weight:
    "x:f g:f dw:F; images:d height:i width:i channels:i out_height:i out_width:i outputs:i kernel_height:i kernel_width:i stride_height:i stride_width:i dilation_height:i dilation_width:i before_height:i before_width:i groups:i; ",
  max_pool:
    "x:f picked:f? y:F; images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i kernel_width:i stride_height:i stride_width:i before_height:i before_width:i; ",
  max_pool_gradient:
    "x:f g:f dx:F; images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i kernel_width:i stride_height:i stride_width:i before_height:i before_width:i gated:b?; ",
  average_pool:
    "x:f y:F; images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i kernel_width:i stride_height:i stride_width:i before_height:i before_width:i count_padding:b?; ",
  average_pool_gradient:
    "g:f dx:F; images:d height:i width:i channels:i out_height:i out_width:i kernel_height:i kernel_width:i stride_height:i stride_width:i before_height:i before_width:i count_padding:b?; ",
  augment:
    "x:f y:F; images:d height:i width:i channels:i out_height:i out_width:i top:i left:i tops:i lefts:i flip_columns:b flip_rows:b back:b? site:i example_images:i; fill?0",
  sum: "x:f sum:F; count:d; ",
  sum_squares: "x:f sum:F; count:d; ",
  row_sum: "x:f y:F; rows:d columns:d; ",
  column_sum: "x:f y:F; rows:d columns:d; ",
  axis_sum: "x:f y:F; outer:d rows:d columns:d; ",
  softmax: "x:f y:F; rows:d columns:d; ",
  log_softmax: "x:f y:F; rows:d columns:d; ",
  softmax_cross_entropy: "logits:f labels:i losses:F; rows:d columns:d; ",
  softmax_cross_entropy_gradient: "logits:f labels:i loss_gradient:f logits_gradient:F; rows:d columns:d same:b; ",
  softmax_cross_entropy_both: "logits:f labels:i loss_gradient:f logits_gradient:F losses:F; rows:d columns:d same:b; ",
  row_norm:
    "x:f scale:f? shift:f? y:F inverse:F mean:F?; rows:d columns:d groups:i function:unary?-1 site:i?-1 example_rows:i?; epsilon keep?1 keep_scale?1",
  row_norm_gradient: "x:f g:f scale:f? inverse:f mean:f? dx:F dscale:F? dshift:F?; rows:d columns:d groups:i; ",
  column_norm:
    "x:f scale:f? shift:f? running_mean:f? running_variance:f? y:F mean:F variance:F; rows:d columns:d function:unary?-1 site:i?-1 example_rows:i?; epsilon keep?1 keep_scale?1",
  column_norm_gradient:
    "x:f g:f scale:f? mean:f variance:f dx:F dscale:F? dshift:F?; rows:d columns:d running:b; epsilon",
  scale_shift:
    "x:f scale:f shift:f y:F; rows:d columns:d function:unary?-1 site:i?-1 example_rows:i?; keep?1 keep_scale?1",
  recurrence:
    "x:f weight:f recurrent:f bias:f? candidate:f? lengths:i? state:f? cell_state:f? mask:f? y:F gates:F cells:F? last:F last_cell:F?; rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b? stepwise:b?; ",
  recurrence_gradient:
    "x:f recurrent:f gates:f y:f cells:f? lengths:i? state:f? cell_state:f? mask:f? dy:f? dlast:f? dlast_cell:f? flow:F dweight:F drecurrent:F dbias:F dcandidate:F? dstate:F? dcell_state:F?; rows:d steps:i inputs:i hidden:i cell:cells reverse:b? update_first:b? stepwise:b?; ",
  attention:
    "query:f key:f? value:f? lengths:i? rotation:f? y:F maxima:F? sums:F?; rows:d queries:i keys:i heads:i key_heads:i size:i causal:b? own:b? batched:b? site:i?-1; scale keep?1 keep_scale?1",
  attention_gradient:
    "query:f key:f? value:f? lengths:i? rotation:f? maxima:f sums:f dy:f dquery:F dkey:F? dvalue:F?; rows:d queries:i keys:i heads:i key_heads:i size:i causal:b? own:b? batched:b? site:i?-1; scale keep?1 keep_scale?1",
  attention_cached:
    "packed:f slots:i places:i rotation:f? keys:M values:M y:F; rows:d heads:i key_heads:i size:i slot_count:i room:i; scale",
  periodic: "x:f frequency:f phase:f weight:f bias:f y:F; rows:d columns:i frequencies:i mixes:i; factor",
  periodic_gradient:
    "x:f frequency:f phase:f weight:f g:f dweight:F dphase:F dfrequency:F; rows:d columns:i frequencies:i mixes:i; factor",
  parametric:
    "x:f share:f y:F bend:F? mask:I?; rows:d columns:d function:unary site:i?-1 example_rows:i? lane:i?; keep?1 keep_scale?1 factor?1",
  parametric_gradient:
    "g:f x:f share:f bend:f mask:i? dx:F dshare:F; rows:d columns:d function:unary site:i?-1 example_rows:i? lane:i?; keep?1 keep_scale?1 factor?1",
  one_hot: "labels:i y:F; rows:d classes:d; ",
  step_mask: "lengths:i y:F; rows:d steps:i; ",
  in_batch: "left:f right:f taken:f? ids:i? weights:f? losses:F; rows:d columns:i; scale",
  in_batch_gradient: "left:f right:f taken:f? ids:i? weights:f? flow:f dleft:F dright:F; rows:d columns:i; scale",
  candidates: "labels:i ids:I expected:F label_expected:F keep:F; rows:d samples:i classes:i log_uniform:b site:i; ",
  argmax: "x:f y:I; rows:d columns:d; ",
  count_equal: "a:i b:i equal:F; count:d; ",
  dropout: "x:f y:F; rows:d columns:d site:i group:i example_rows:i lane:i?; keep scale shift dropped",
  noise: "x:f y:F; rows:d columns:d site:i group:i example_rows:i; deviation",
  gather: "source:x order:i y:X; rows:d columns:d source_rows:d dtype:dtypes; scale",
  gather_ends: "bounds:i order:i ends:I; rows:d source_rows:d width:i; ",
  gather_lists: "source:x bounds:i order:i y:X; rows:d source_rows:d width:i entries:i room:i; ",
  take: "table:x indices:i y:X; count:d table_rows:d columns:i width:i padding:i?-1 gaps:b?; ",
  bag: "table:f ids:i weights:f? ends:i? y:F; bags:d table_rows:d columns:i width:i padding:i?-1 mode:bags; ",
  take_gradient:
    "gradient:f indices:i weights:f? ends:i? y:F; count:d lists:d? table_rows:d columns:i width:i padding:i?-1 bags:bags? gaps:b?; ",
  scatter_rows:
    "gradient:f indices:i weights:f? ends:i? count:I rows:I sums:F; count:d lists:d? table_rows:i columns:i width:i padding:i?-1 bags:bags? gaps:b?; ",
  merge_rows:
    "count:i rows:i sums:f total_count:I total_rows:I total_sums:M; room:i total_room:i table_rows:i columns:i; ",
  rows_squares: "count:i rows:i sums:f sum:F; room:i table_rows:i columns:i; ",
  concat: "parts[7]:x? y:X; outer:d parts*(columns); ",
  slice: "x:x y:X; outer:d columns:i begin:i count:i; ",
  pad: "x:x y:X; outer:d columns:i before:i after:i; ",
  transpose: "x:x y:X; outer:d axes*(size,stride); ",
  collect: "x:x kept:X; rows:d columns:d batch:i steps:i; ",
  convert: "x:u y:F; count:d; scale",
  row_count: "y:F; ; ",
  schedule_value: "y:F; lane:i; ",
  uniform: "y:F; count:d hash_low:i hash_high:i; low high",
  normal: "y:F; count:d hash_low:i hash_high:i; mean deviation",
  permutation: "order:I; count:d shuffled:b; ",
  update:
    "parameters:M gradients:f states[3]:M? average:M? gradient_scale:f? penalty:F? count:i? rows:i? indices:i? weights:f? ends:i? squares:F?; count:d? lists:d? rule:optimizers lane:i constants:# scalars:i average_lane:b? decay_lane:i? reach:reaches? room:i? width:i? padding:i?-1 bags:bags? gaps:b? segments*(offset,rows,columns,metric:b); constants[8] clip_value average_decay? segments*(l2,l1,decay,scheduled_decay,shrink,max_norm,penalty_squares,penalty_absolutes)",
  log_scalar: "x:f; column:i; ",
  expect_finite:
    "x:f left:f? right:f? count:i? rows:i? indices:i? weights:f? ends:i?; left_count:d? right_count:d? count:d? lists:d? every:i room:i? columns:i? compact:b? width:i? padding:i?-1 bags:bags? gaps:b? ranges*(offset,count,check); ",
  frozen_pack: "weights:f packed:U; n:d k:d along_depth:b form:forms; ",
  frozen_product: "x:f packed:u bias:f? scale:f? shift:f? c:F; m:d n:d k:d form:forms function:unary?-1; ",
};
