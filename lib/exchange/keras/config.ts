// What the configuration of a layer of Keras says, read strictly: what would change answers and is not known here is refused by its name.
import { describe, shortened } from "../../errors.js";
import { isObject } from "../../io/header.js";
import { broken } from "../../io/refusal.js";

/** Options of a layer of a file; whoever asks for one has heeded it. */
export class Config {
  readonly where: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #heeded = new Set<string>();

  constructor(where: string, values: unknown) {
    this.where = where;
    if (!isObject(values)) throw broken(where, "an object of options", describe(values));
    this.#values = new Map(Object.entries(values));
  }

  /** Whatever stands there. */
  raw(name: string): unknown {
    this.#heeded.add(name);
    return this.#values.get(name) ?? undefined;
  }

  refuse(name: string, expected: string): never {
    const found = this.#values.get(name);
    throw broken(
      `${this.where}.${name}`,
      expected,
      typeof found === "object" ? shortened(JSON.stringify(found), 100) : describe(found),
    );
  }

  text(name: string, standard?: string): string {
    const value = this.raw(name) ?? standard;
    return typeof value === "string" ? value : this.refuse(name, "a text");
  }

  number(name: string, standard?: number): number {
    const value = this.raw(name) ?? standard;
    return typeof value === "number" && Number.isFinite(value) ? value : this.refuse(name, "a number");
  }

  flag(name: string, standard: boolean): boolean {
    const value = this.raw(name) ?? standard;
    return typeof value === "boolean" ? value : this.refuse(name, "true or false");
  }

  /** Whole numbers; of one number for all axes as many as `axes`. */
  sizes(name: string, axes: number, standard?: number): readonly number[] {
    const value = this.raw(name) ?? standard;
    const list: readonly unknown[] = Array.isArray(value) ? value : Array.from({ length: axes }, () => value);
    const sizes = list.filter(
      (size): size is number => typeof size === "number" && Number.isSafeInteger(size) && size > 0,
    );
    return sizes.length === axes && list.length === axes ? sizes : this.refuse(name, `${axes} numbers above 0`);
  }

  /** Refuses anything but one value, which is the only one that is known here. */
  only(name: string, expected: unknown, standard: unknown = expected): void {
    const value = this.raw(name) ?? standard;
    if (JSON.stringify(value) !== JSON.stringify(expected))
      this.refuse(name, `${describe(expected)}, which is all that crosses,`);
  }

  /** Options that nobody has asked for, of those that have a value: they do not change what the layer answers, or were refused. */
  get unheeded(): readonly string[] {
    return [...this.#values]
      .filter(([name, value]) => !this.#heeded.has(name) && value !== null && value !== false && !SILENT.has(name))
      .map(([name]) => name);
  }
}

/** Options that say nothing about answers or training. */
const SILENT: ReadonlySet<string> = new Set([
  ...[
    "name",
    "trainable",
    "dtype",
    "batch_input_shape",
    "batch_shape",
    "seed",
    "noise_shape",
    "sparse",
    "ragged",
    "optional",
  ],
  ...["kernel_initializer", "bias_initializer", "recurrent_initializer", "beta_initializer", "gamma_initializer"],
  ...["moving_mean_initializer", "moving_variance_initializer", "embeddings_initializer", "depthwise_initializer"],
  ...[
    "pointwise_initializer",
    "alpha_initializer",
    "lora_rank",
    "lora_alpha",
    "quantization_config",
    "unroll",
    "time_major",
  ],
  ...[
    "implementation",
    "use_cudnn",
    "zero_output_for_mask",
    "unit_forget_bias",
    "synchronized",
    "input_dtype",
    "input_length",
  ],
  ...["renorm_clipping", "renorm_momentum", "fused", "keepdims", "weights", "registered_name", "build_config"],
]);

/** Activations by their names there: a layer of ours, none for linear. */
const ACTIVATIONS: Readonly<
  Record<string, { readonly kind: string; readonly options: Readonly<Record<string, number | string>> }>
> = {
  ...Object.fromEntries(
    ["relu", "relu6", "tanh", "sigmoid", "softmax", "softplus", "selu", "mish"].map((kind) => [
      kind,
      { kind, options: {} },
    ]),
  ),
  silu: { kind: "silu", options: {} },
  swish: { kind: "silu", options: {} },
  hard_tanh: { kind: "hardTanh", options: {} },
  hard_sigmoid: { kind: "hardSigmoid", options: {} },
  hard_silu: { kind: "hardSilu", options: {} },
  hard_swish: { kind: "hardSilu", options: {} },
  log_softmax: { kind: "logSoftmax", options: {} },
  elu: { kind: "elu", options: { alpha: 1 } },
  leaky_relu: { kind: "leakyRelu", options: { slope: 0.2 } },
  gelu: { kind: "gelu", options: { approximate: "none" } },
};

/** A layer of ours as plain data. */
export interface Described {
  readonly kind: string;
  readonly options: Readonly<Record<string, string | number | boolean | readonly number[] | null>>;
}

/** The activation that an option names, as a layer; none where it is linear. */
export function activationOf(config: Config, name = "activation"): readonly Described[] {
  const given = config.raw(name) ?? "linear";
  const serialized = isObject(given) && "class_name" in given ? Reflect.get(given, "config") : undefined;
  const called =
    typeof given === "string"
      ? given
      : typeof serialized === "string"
        ? serialized
        : config.refuse(name, "the name of an activation");
  if (called === "linear") return [];
  const found = Object.hasOwn(ACTIVATIONS, called) ? ACTIVATIONS[called] : undefined;
  return found === undefined
    ? config.refuse(name, `one of ${["linear", ...Object.keys(ACTIVATIONS)].join(", ")}`)
    : [found];
}
