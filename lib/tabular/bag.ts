// One model of the members of a run.
import { Turns } from "../data/turns.js";
import { fail } from "../errors.js";
import { ensemble } from "../nn/model/joint.js";
import type { AnyModel } from "../nn/model/model.js";
import { Tensor } from "../tensor/tensor.js";
import { targetsOfRows } from "./encoding.js";
import { selectWeightsInTurns } from "./greedy.js";
import { lossOfAnswers, measure } from "./measures.js";
import type { TrainedMember } from "./member.js";
import type { NetworkKind } from "./networks.js";
import type { CheckedTabular } from "./options.js";
import { monitorFor, outputsOf } from "./plan.js";
import type { Prepared } from "./prepared.js";
import {
  keepFacts,
  type OutOfFold,
  type TabularHistoryEpoch,
  type TabularMember,
  TabularModel,
} from "./tabular_model.js";

/** A member after its training, with what it answers to the rows that it has not seen. */
export interface Member extends TrainedMember {
  readonly kind: NetworkKind;
  /** From 0. */
  readonly fold: number;
  readonly model: AnyModel;
  readonly history: readonly TabularHistoryEpoch[];
  readonly answers: Float32Array;
  /** Whether the model has been trained once more, on all rows. */
  readonly again: boolean;
}

/** One model of the members, with what they answer to the rows that they have not seen. */
export async function bagged(
  settings: CheckedTabular,
  prepared: Prepared,
  trained: readonly Member[],
): Promise<{ readonly model: TabularModel; readonly step: number; readonly score: TabularModel["score"] }> {
  const { preparation, targets, units, numbers } = prepared;
  const target = preparation.target ?? fail("ERR_STATE", "fit", "a target", undefined);
  const { outputs, mixing } = outputsOf(target);
  const kinds = [...new Set(trained.map(({ kind }) => kind))];
  const answered: Awaited<ReturnType<typeof answersByRow>>[] = [];
  for (const kind of kinds) {
    const own = trained.filter((one) => one.kind === kind);
    answered.push(await answersByRow(own, prepared, outputs));
  }
  const [first] = answered;
  const rows = first?.rows ?? new Uint32Array();
  const isWhole = answered.every((one) => one.rows.length === rows.length);
  const held = targetsOfRows(targets, rows);
  const weights =
    kinds.length > 1 && isWhole
      ? await selectWeightsInTurns(
          answered.map(({ data }) => data),
          (data) => lossOfAnswers(target.task, { width: outputs, data }, held),
        )
      : kinds.map(() => 1 / kinds.length);
  const weightOf = ({ kind }: Member): number => {
    const alike = trained.filter((one) => one.kind === kind).length;
    return (weights[kinds.indexOf(kind)] ?? 0) / alike;
  };
  const mixedAnswers = new Float32Array(rows.length * outputs);
  if (isWhole) {
    answered.forEach(({ data }, at) => {
      const weight = weights[at] ?? 0;
      for (let place = 0; place < data.length; place++)
        mixedAnswers[place] = (mixedAnswers[place] ?? 0) + weight * (data[place] ?? 0);
    });
  } else mixedAnswers.set(first?.data ?? []);
  const score = await measure(target.task, { width: outputs, data: mixedAnswers }, held);
  const used = trained.filter((member) => weightOf(member) > 0);
  const model = ensemble(
    used.map((member) => member.model),
    { mixing, weights: used.map(weightOf) },
  );
  const classNames = mixing === "classes" ? preparation.classes : undefined;
  const lossKind = { classes: "crossEntropy", labels: "binaryCrossEntropy", values: "mse" }[mixing];
  model.changeMeaning({ inputs: [], outputs: [{ units, lossKind, classNames }] });
  const members = used.map((member): TabularMember => {
    const { kind, fold, best, history, again } = member;
    const { epoch, value } = best ?? { epoch: 0, value: Number.NaN };
    return {
      kind,
      fold: fold + 1,
      weight: weightOf(member),
      best: { epoch, value },
      ...(again ? { again } : {}),
      history,
    };
  });
  const metric = monitorFor(preparation, settings);
  const { preset, seed } = settings;
  const facts = { preset, metric, members, score, kinds: prepared.kinds, seed };
  const own =
    preparation.second === undefined ? preparation : preparation.giving(model.rows.inputs.map(({ name }) => name));
  keepFacts(model, own, facts);
  const outOfFold: OutOfFold = {
    rows: numbers === undefined ? rows : rows.map((row) => numbers[row] ?? 0),
    answers: new Tensor(mixedAnswers, [rows.length, outputs], "f32"),
    targets: held,
  };
  const step = trained.reduce((sum, one) => sum + one.step, 0);
  return { model: new TabularModel(model, own, facts, outOfFold), step, score };
}

/** Rows between two looks at the clock. */
const PIECE = { least: 1024, most: 65_536 };

/** Answers of members of one kind to the rows that each has not seen, no row twice, in the order of the rows. */
async function answersByRow(
  members: readonly Member[],
  { parts, encoded }: Prepared,
  width: number,
): Promise<{ readonly rows: Uint32Array; readonly data: Float32Array }> {
  const turns = new Turns();
  const count = members.reduce((sum, { fold }) => sum + (parts[fold]?.validation.length ?? 0), 0);
  const own = new Float32Array(count * width);
  const places = new Int32Array(encoded.rows).fill(-1);
  let first = 0;
  for (const { fold, answers } of members) {
    const rows = parts[fold]?.validation ?? new Uint32Array();
    own.set(answers, first * width);
    const from = first;
    await turns.inPieces(rows.length, PIECE, (begin, end) => {
      for (let at = begin; at < end; at++) places[rows[at] ?? 0] = from + at;
    });
    first += rows.length;
  }
  const [rows, data] = [new Uint32Array(count), new Float32Array(count * width)];
  let next = 0;
  await turns.inPieces(encoded.rows, PIECE, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const place = places[row] ?? -1;
      if (place < 0) continue;
      rows[next] = row;
      for (let at = 0; at < width; at++) data[next * width + at] = own[place * width + at] ?? 0;
      next += 1;
    }
  });
  return { rows, data };
}
