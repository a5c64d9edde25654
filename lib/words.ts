// The name that was probably meant by an unknown one: words of Keras, PyTorch, Lightning and scikit-learn, and typing errors.

/** Words of other libraries without `_`, `-`, `.` and capitals, by ours; one word may mean several of ours. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  lr: ["learningrate", "eta", "eta0", "baselr", "maxlr", "initiallr", "learningrateinit"],
  momentum: ["momentumfactor"],
  epsilon: ["eps"],
  weight: ["weights", "sampleweight", "sampleweights"],
  classWeights: ["classweight"],
  validation: ["val", "valdata", "valset", "validationdata", "validationset", "evaldata", "evalset"],
  validate: ["validationfreq", "valcheckinterval", "checkvaleverynepoch"],
  epochs: ["nepochs", "numepochs", "maxepochs", "nbepoch", "numtrainepochs", "maxiter"],
  steps: ["nsteps", "numsteps", "maxsteps", "iterations"],
  data: ["dataset", "traindata", "trainingdata", "dataloader", "traindataloader"],
  loss: ["criterion", "objective", "lossfn", "lossfunction"],
  optimizer: ["solver"],
  metrics: ["scoring"],
  seed: ["randomstate", "randomseed"],
  threads: ["njobs", "numworkers", "numthreads", "workers"],
  reportEvery: ["verbose", "logeverynsteps", "verbosity"],
  norm: ["clipnorm", "globalclipnorm", "maxnorm", "maxgradnorm"],
  value: ["clipvalue"],
  clip: ["clipnorm", "clipvalue", "globalclipnorm", "gradientclipval", "maxgradnorm"],
  accumulate: ["gradientaccumulationsteps", "accumulategradbatches"],
  averageWeights: ["ema", "useema", "swa"],
  decay: ["emamomentum"],
  callbacks: ["earlystopping"],
  resume: ["ckptpath", "initialepoch", "warmstart"],
  dir: ["path", "dirpath", "directory", "filepath", "folder"],
  keep: ["savetopk", "maxtokeep", "savetotallimit"],
  every: ["savefreq", "period", "everynepochs", "everyntrainsteps"],
  patience: ["niternochange"],
  minDelta: ["tol", "threshold"],
  minScale: ["minlr"],
  restoreBest: ["restorebestweights"],
  regularizer: ["kernelregularizer", "penalty", "regularization"],
  bias: ["usebias"],
  init: ["kernelinitializer"],
  biasInit: ["biasinitializer"],
  rate: ["p", "dropoutrate"],
  slope: ["negativeslope", "alpha"],
  accuracy: ["acc", "binaryaccuracy", "categoricalaccuracy", "sparsecategoricalaccuracy", "accuracyscore"],
  classError: ["zerooneloss", "errorrate"],
  precision: ["precisionscore"],
  recall: ["recallscore"],
  f1: ["f1score"],
  auc: ["rocauc", "rocaucscore", "auroc"],
  averagePrecision: ["prauc", "aucpr", "auprc", "averageprecisionscore"],
  calibrationError: ["ece", "expectedcalibrationerror"],
  logLoss: ["crossentropy", "binarycrossentropy", "categoricalcrossentropy", "nll"],
  mae: ["meanabsoluteerror"],
  mse: ["meansquarederror"],
  rmse: ["rootmeansquarederror", "mse", "meansquarederror"],
  r2: ["r2score"],
};

/** `known` by what they were probably meant by: the same but for `_` and capitals, a word of another library, a typing error. */
export function meantBy(name: string, known: readonly string[]): string | undefined {
  const plain = plainly(name);
  return (
    known.find((one) => plainly(one) === plain) ??
    known.find((one) => Object.hasOwn(WORDS, one) && WORDS[one]?.includes(plain) === true) ??
    nearest(name, known)
  );
}

function plainly(name: string): string {
  return name.toLowerCase().replaceAll(/[_\-. ]/g, "");
}

/**
 * The known name with the fewest typing errors, at most one for every three characters (and at least one); without one, the shortest that `key`, of four letters or
 * more, is the beginning of: `churned` of `churn`.
 */
export function nearest(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const name of known) {
    const errors = typingErrors(key.toLowerCase(), name.toLowerCase());
    if (errors < fewest) {
      best = name;
      fewest = errors;
    }
  }
  if (best !== undefined || key.length < LEAST_LETTERS) return best;
  const longer = known.filter((name) => name.toLowerCase().startsWith(key.toLowerCase()));
  return longer.sort((a, b) => a.length - b.length)[0];
}

/** Letters that a name must have to be looked for in longer ones. */
const LEAST_LETTERS = 4;

/** The longest known name that is a part of `key`: `weight` of `sample_weight`. */
export function within(key: string, known: readonly string[]): string | undefined {
  const parts = known.filter((name) => name.length >= LEAST_LETTERS && key.toLowerCase().includes(name.toLowerCase()));
  return parts.sort((a, b) => b.length - a.length)[0];
}

/**
 * Characters to insert, delete, replace or swap with a neighbour to turn `from` into `to`
 * (optimal string alignment distance, the restricted form of Damerau 1964).
 */
function typingErrors(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped = from[row - 2] === to[column - 1] && from[row - 1] === to[column - 2];
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (same ? 0 : 1),
          row > 1 && column > 1 && swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}

/** Whether a pattern, in which `*` stands for any characters, is the whole of `name`. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}
