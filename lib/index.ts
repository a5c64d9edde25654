/// <reference types="node" preserve="true" />
export type { ClassWeights } from "./data/bind.js";
export type { Examples, Features, Labels, Lists, OneList, Rows, Targets, TensorLike, Weights } from "./data/dataset.js";
export type { DivisionOptions } from "./data/division.js";
export { type Fold, type FoldOf, type KFoldOptions, kFold } from "./data/k_fold.js";
export type { Classes, Key, Keys } from "./data/keys.js";
export { type Padded, type PaddedOptions, padded } from "./data/padded.js";
export type { Part, Selection } from "./data/select.js";
export type { Series, SeriesDtype, SeveralSeries } from "./data/series.js";
export { type Split, type SplitOptions, split, type ThreeWaySplit } from "./data/split.js";
export {
  type Dataset,
  type DatasetOptions,
  dataset,
  type StreamExample,
  type StreamSource,
} from "./data/stream.js";
export {
  type Affine,
  type ColumnSummary,
  divideBy,
  type MinMaxOptions,
  minMax,
  robustScale,
  standardize,
  type Transform,
  type Transforms,
} from "./data/transform.js";
export { type DividedWindows, type Windows, type WindowsOptions, windows } from "./data/windows.js";
export type { Description, Json } from "./described.js";
export { type Described, descriptionOf, fromDescription } from "./descriptions.js";
export { CarillonError, type ErrorCode, type ErrorData } from "./errors.js";
export type { Priority } from "./graph/compiled.js";
export { grad, valueAndGrad } from "./graph/grad.js";
export type { ScheduleAt } from "./graph/lane.js";
export type { WeightForm } from "./graph/passes/frozen_products.js";
export { type Program, type ProgramContext, type ProgramOptions, program, type Spec, spec } from "./graph/program.js";
export type { ProgramInput } from "./graph/program_input.js";
export type { FileLimits } from "./io/limits.js";
export type { State } from "./io/state.js";
export type { Evaluation } from "./nn/evaluation/evaluator.js";
export type { RefreshOptions } from "./nn/evaluation/statistics.js";
export type { LoadOptions } from "./nn/files/saved.js";
export {
  type EluOptions,
  elu,
  type GeluLayerOptions,
  gelu,
  hardSigmoid,
  hardSilu,
  hardTanh,
  type LeakyReluOptions,
  leakyRelu,
  logSoftmax,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from "./nn/layers/activations.js";
export { type AttentionLayerOptions, attention } from "./nn/layers/attention.js";
export {
  type BatchEnsembleOptions,
  batchEnsemble,
  type MeanOfMembersOptions,
  type MemberAnswers,
  type MemberLinearOptions,
  meanOfMembers,
  memberLinear,
} from "./nn/layers/batch_ensemble.js";
export { type BatchNormLayerOptions, batchNorm } from "./nn/layers/batch_norm.js";
export { type CategoryEmbeddingOptions, categoryEmbedding } from "./nn/layers/category_embedding.js";
export { type ClampOutputOptions, clampOutput, type FoundBoundsOptions } from "./nn/layers/clamp_output.js";
export { type ConcatLayerOptions, concat } from "./nn/layers/concat.js";
export { type Conv1dLayerOptions, type Conv2dLayerOptions, conv1d, conv2d } from "./nn/layers/convolution.js";
export {
  alphaDropout,
  type DropoutLayerOptions,
  dropout,
  gaussianDropout,
  type RateOptions,
  spatialDropout,
} from "./nn/layers/dropout.js";
export {
  type EmbeddingBagOptions,
  type EmbeddingOptions,
  embedding,
  embeddingBag,
} from "./nn/layers/embedding.js";
export { groupNorm } from "./nn/layers/group_norm.js";
export { type ImageNormalization, type ImagesAugmentation, type ImagesOptions, images } from "./nn/layers/images.js";
export { layerNorm, type NormLayerOptions } from "./nn/layers/layer_norm.js";
export { type LinearOptions, linear } from "./nn/layers/linear.js";
export { type MonotoneQuantilesOptions, monotoneQuantiles } from "./nn/layers/monotone_quantiles.js";
export { type NtkLinearOptions, ntkLinear } from "./nn/layers/ntk_linear.js";
export {
  type BinEdgesOptions,
  binEdges,
  type NumericEmbeddingOptions,
  type NumericForm,
  numericEmbedding,
} from "./nn/layers/numeric_embedding.js";
export { type ParametricOptions, parametricActivation } from "./nn/layers/parametric_activation.js";
export {
  type AveragePool1dOptions,
  type AveragePool2dOptions,
  averagePool1d,
  averagePool2d,
  type GlobalPoolOptions,
  globalAveragePool,
  globalMaxPool,
  type MaxPool1dOptions,
  type MaxPool2dOptions,
  maxPool1d,
  maxPool2d,
} from "./nn/layers/pool.js";
export { type PositionsOptions, positions } from "./nn/layers/positions.js";
export {
  type GruOptions,
  gru,
  type LstmOptions,
  lstm,
  type RecurrentOptions,
  type RnnOptions,
  rnn,
} from "./nn/layers/recurrent.js";
export { type ResidualOptions, residual } from "./nn/layers/residual.js";
export { rmsNorm } from "./nn/layers/rms_norm.js";
export { type ScaleOptions, scale } from "./nn/layers/scale.js";
export { flatten, reshape } from "./nn/layers/shapes.js";
export { type SmoothClipOptions, smoothClip } from "./nn/layers/smooth_clip.js";
export { type TransformerBlockOptions, transformerBlock } from "./nn/layers/transformer_block.js";
export { type ConvTransposed2dLayerOptions, convTransposed2d } from "./nn/layers/transposed_convolution.js";
export {
  type InBatchSoftmaxOptions,
  inBatchSoftmax,
  type SampledSoftmaxOptions,
  sampledSoftmax,
} from "./nn/losses/candidates.js";
export {
  binaryCrossEntropy,
  type CrossEntropyOptions,
  crossEntropy,
  hinge,
  klDivergence,
} from "./nn/losses/classification.js";
export { type BinaryFocalOptions, binaryFocal, type FocalOptions, focal } from "./nn/losses/focal.js";
export type { Loss, LossTarget } from "./nn/losses/loss.js";
export { type PinballOptions, pinball } from "./nn/losses/quantiles.js";
export {
  bpr,
  type ContrastiveOptions,
  contrastive,
  type TripletOptions,
  triplet,
} from "./nn/losses/ranking.js";
export {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type HuberOptions,
  huber,
  mae,
  mse,
} from "./nn/losses/regression.js";
export type { PredictedLabels, ProbabilitiesAs } from "./nn/meaning/meaning.js";
export type { GivenWeights } from "./nn/memory/given_weights.js";
export type { ParameterInfo } from "./nn/memory/slab.js";
export { type AverageOptions, f1, precision, recall, topK } from "./nn/metrics/classification.js";
export { bestThreshold, type ThresholdCosts, type ThresholdOptions } from "./nn/metrics/curves.js";
export { defineMetric, type MetricDefinition } from "./nn/metrics/define_metric.js";
export type { ConfusionMatrix, Metric, MetricRows, MetricValue } from "./nn/metrics/metric.js";
export type { Figures, MetricName, Metrics } from "./nn/metrics/metrics.js";
export { type CalibrationOptions, calibrationError } from "./nn/metrics/probabilities.js";
export { coverage } from "./nn/metrics/quantiles.js";
export { recallAt } from "./nn/metrics/ranking.js";
export { type DrawFromDataOptions, drawFromData } from "./nn/model/draw_from_data.js";
export { type EnsembleOptions, ensemble, type Mixing, type TowersDefinition, towers } from "./nn/model/joint.js";
export { loadModel } from "./nn/model/load.js";
export type { AnyModel, Model } from "./nn/model/model.js";
export { type NetworkDefinition, type NetworkInputs, type NetworkOutputs, network } from "./nn/model/network.js";
export { sequential } from "./nn/model/sequential.js";
export { type GainName, gain } from "./nn/parameters/gain.js";
export {
  constant,
  type Distribution,
  type HeOptions,
  heNormal,
  heUniform,
  type Initializer,
  identity,
  lecunNormal,
  lecunUniform,
  type MatrixOptions,
  type NormalOptions,
  normal,
  ones,
  orthogonal,
  repeated,
  type SignsOptions,
  type SparseOptions,
  signs,
  sparse,
  type TruncatedNormalOptions,
  truncatedNormal,
  type UniformOptions,
  uniform,
  type XavierOptions,
  xavierNormal,
  xavierUniform,
  zeros,
} from "./nn/parameters/initializers.js";
export {
  type ParameterOptions,
  type ParameterRole,
  type ParameterSpec,
  parameter,
  type RowUpdates,
} from "./nn/parameters/parameter.js";
export type { FormError } from "./nn/serving/form_error.js";
export type { GenerateOptions, GeneratorOptions, TokenGenerator } from "./nn/serving/generator.js";
export type {
  EvaluateOptions,
  LabelOptions,
  PredictOptions,
  ProbabilityOptions,
} from "./nn/serving/predict_options.js";
export type { Predictor, PredictorStatistics, SubmitOptions } from "./nn/serving/predictor.js";
export type { Predicted, PredictedAs, PredictorOptions, WeightForms } from "./nn/serving/predictor_options.js";
export { type SampleOptions, sampleToken } from "./nn/serving/sample.js";
export type { Given, Taken, Takes } from "./nn/structure/chain.js";
export {
  defineLayer,
  type Layer,
  type LayerContext,
  type LayerDefinition,
  type LayerPart,
  type LayerResult,
  type Nestable,
  type StateSpec,
} from "./nn/structure/layer.js";
export type { SequentialOptions } from "./nn/structure/sequential_options.js";
export * as ops from "./ops/index.js";
export { type AdadeltaOptions, adadelta } from "./optim/adadelta.js";
export { type AdagradOptions, adagrad } from "./optim/adagrad.js";
export { type AdamOptions, adam } from "./optim/adam.js";
export { type AdamaxOptions, adamax } from "./optim/adamax.js";
export { type AdamwOptions, adamw } from "./optim/adamw.js";
export { type AmsgradOptions, amsgrad } from "./optim/amsgrad.js";
export type { Compat } from "./optim/compat.js";
export {
  type DefinedOptimizer,
  defineOptimizer,
  type OptimizerDefinition,
  type OptimizerStep,
  type OptimizerUpdate,
} from "./optim/define_optimizer.js";
export type { Epsilon, EpsilonPlacement } from "./optim/epsilon.js";
export { type LionOptions, lion } from "./optim/lion.js";
export { type Minimized, type Minimizer, minimizer } from "./optim/minimizer.js";
export type { AverageWeights, Clip, MinimizerOptions } from "./optim/minimizer_options.js";
export { type MuonOptions, muon } from "./optim/muon.js";
export { type NadamOptions, nadam } from "./optim/nadam.js";
export type { Optimizer, OptimizerState } from "./optim/optimizer.js";
export { type Group, type Partition, partition } from "./optim/partition.js";
export { type RadamOptions, radam } from "./optim/radam.js";
export { type RmspropOptions, rmsprop } from "./optim/rmsprop.js";
export type { Schedule } from "./optim/schedule.js";
export {
  type CosineDecayOptions,
  cosineDecay,
  type FlatCosineOptions,
  flatCosine,
  type LogCosineOptions,
  logCosine,
  type OneCycleOptions,
  oneCycle,
  type Restarts,
} from "./optim/schedules/cosine.js";
export {
  type ExponentialDecayOptions,
  exponentialDecay,
  type PolynomialDecayOptions,
  polynomialDecay,
  type StepDecayOptions,
  stepDecay,
} from "./optim/schedules/decay.js";
export type { Period } from "./optim/schedules/period.js";
export { type WarmupOptions, warmup } from "./optim/schedules/warmup.js";
export { type SgdMomentumOptions, type SgdOptions, sgd, sgdMomentum } from "./optim/sgd.js";
export {
  type ElasticNetOptions,
  elasticNet,
  l1,
  l2,
  maxNorm,
  type ProximalMetric,
  type ProximalOptions,
  type Regularizer,
  type Regularizers,
  weightDecay,
} from "./regularizers/index.js";
export type { ReportedModel, RowNumbers } from "./report/asked.js";
export { type BootstrapOptions, bootstrap, type Interval } from "./report/bootstrap.js";
export {
  atTemperature,
  type Reliability,
  type ReliabilityBin,
  type ReliabilityOptions,
  reliability,
  temperatureOf,
} from "./report/calibration.js";
export type { ClassProbabilities } from "./report/chances.js";
export {
  type ColumnValue,
  type DependenceOptions,
  type DependencePoint,
  type Importance,
  type ImportanceOptions,
  partialDependence,
  permutationImportance,
  type TableScore,
} from "./report/columns.js";
export { type ClassFigures, type ConfusionTable, confusionTable } from "./report/confusion.js";
export {
  type ChoiceOptions,
  type ChosenThreshold,
  chooseThreshold,
  type PrecisionRecallCurve,
  precisionRecallCurve,
  type RocCurve,
  rocCurve,
} from "./report/curves.js";
export type {
  CalibrationFacts,
  ColumnFacts,
  DependenceFacts,
  Histogram,
  Points,
  ReportFacts,
  ResidualFacts,
  ScoreFacts,
  TargetFacts,
  TwoClassFacts,
  WeightFacts,
} from "./report/facts.js";
export type { ReportOptions } from "./report/options.js";
export { type Report, report } from "./report/report.js";
export { errorsBySlice, type Slice, type SliceOptions } from "./report/slices.js";
export { runtime } from "./runtime.js";
export { preparationOf, prepare, schemaOf, type TableSource, table, tableBlocks } from "./table/api.js";
export type { BooleanColumn, Cell, Column, ColumnKind, DateColumn, NumberColumn, TextColumn } from "./table/column.js";
export type { Dialect } from "./table/csv/dialect.js";
export type { FoldOptions } from "./table/fold.js";
export type { TableFormat } from "./table/formats.js";
export type { TableOptions } from "./table/options.js";
export type { Encoded, EncodedInput, EncodedLists } from "./table/preparation/encode.js";
export type { PreparedInputs, RawRow } from "./table/preparation/features.js";
export type { PrepareOptions } from "./table/preparation/fit.js";
export type { Preparation, PreparedExamples, RawRows } from "./table/preparation/preparation.js";
export type { Target } from "./table/preparation/target.js";
export type { ReadEvent } from "./table/progress.js";
export type { ColumnCounts, Inferred, SchemaOptions } from "./table/schema/read.js";
export type { ColumnSchema, Schema, Task } from "./table/schema/schema.js";
export type { Warning } from "./table/schema/warnings.js";
export type { ByteStream } from "./table/source.js";
export type { SqlParameter, SqlSource } from "./table/sql/source.js";
export type { Row, Table } from "./table/table.js";
export type { GivenColumns, GivenRows } from "./table/values.js";
export {
  greedyWeights,
  loadTabular,
  tabular,
} from "./tabular/api.js";
export type {
  TabularEndEvent,
  TabularEpochEvent,
  TabularEvent,
  TabularExpectedEvent,
  TabularFigure,
  TabularMemberEvent,
  TabularStageEvent,
  TabularStartEvent,
  TabularStepEvent,
} from "./tabular/events.js";
export type { Measures } from "./tabular/measures.js";
export type { Preset, SelectionMetric, TabularFitOptions, TabularOptions, TabularRows } from "./tabular/options.js";
export type { Tabular, TabularRun } from "./tabular/tabular.js";
export type {
  OutOfFold,
  TabularAnswers,
  TabularHistoryEpoch,
  TabularMember,
  TabularModel,
} from "./tabular/tabular_model.js";
export { type Bytes, bytes } from "./tensor/bytes.js";
export { type Ragged, type RaggedOptions, ragged } from "./tensor/ragged.js";
export type { Dim, Dtype, Shape } from "./tensor/shape.js";
export { type Nested, type PlainTensor, Tensor, type TensorData, tensor } from "./tensor/tensor.js";
export { Value } from "./tensor/value.js";
export type { Best, Callback, CallbackHooks, Decision, Ending, Every, Validated } from "./train/callbacks/callback.js";
export { type EarlyStoppingOptions, earlyStopping } from "./train/callbacks/early_stopping.js";
export type { MonitorMode, MonitorOptions } from "./train/callbacks/monitor.js";
export { type ReduceOnPlateauOptions, reduceOnPlateau } from "./train/callbacks/reduce_on_plateau.js";
export {
  type LoopLoadOptions,
  type LoopParts,
  loadCheckpoint,
  type SavedLoop,
  saveCheckpoint,
} from "./train/checkpoint/loop.js";
export type { BestOptions, CheckpointOptions, ResumeFrom, ResumeOptions } from "./train/checkpoint/options.js";
export type { Setting } from "./train/checkpoint/settings.js";
export {
  type FindLearningRateOptions,
  findLearningRate,
  type LearningRateCurve,
  type LearningRatePoint,
} from "./train/find_learning_rate.js";
export { fit } from "./train/fit.js";
export type { FitResult } from "./train/fit_result.js";
export type { LogOptions } from "./train/log/figures.js";
export { type MetricsLogOptions, metricsLog } from "./train/log/metrics_log.js";
export { type TensorBoardOptions, tensorBoard } from "./train/log/tensor_board.js";
export type { FitData, FitOptions, ValidationSchedule } from "./train/options.js";
export type {
  CheckpointEvent,
  EndEvent,
  EndReason,
  EpochEvent,
  FewRowsEvent,
  FitEvent,
  PassedOver,
  ReadingEvent,
  StartEvent,
  StepEvent,
  ValidationEvent,
} from "./train/run/events.js";
export type { Run } from "./train/run/run.js";
export type { StepLosses } from "./train/run/step_losses.js";
