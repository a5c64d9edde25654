// One model of the members of a run.
import { fail } from "../errors.js";
import { ensemble } from "../nn/model/joint.js";
import type { AnyModel } from "../nn/model/model.js";
import { Tensor } from "../tensor/tensor.js";
import type { MemberRows } from "./divisions.js";
import { selectWeightsInTurns } from "./greedy.js";
import { lossOfAnswers, measure } from "./measures.js";
import { pickTargets, type TrainedMember } from "./member.js";
import type { NetworkKind } from "./networks.js";
import type { CheckedTabular } from "./options.js";
import { monitorOf, outputsOf } from "./plan.js";
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
}

/** One model of the members, with what they answer to the rows that they have not seen. */
export async function bagged(
  settings: CheckedTabular,
  prepared: Prepared,
  trained: readonly Member[],
): Promise<{ readonly model: TabularModel; readonly step: number; readonly score: TabularModel["score"] }> {
  const { preparation, targets, units, parts, numbers } = prepared;
  const target = preparation.target ?? fail("ERR_STATE", "fit", "a target", undefined);
  const { outputs, mixing } = outputsOf(target);
  const kinds = [...new Set(trained.map(({ kind }) => kind))];
  const truthOf = (rows: Uint32Array): Int32Array | Float64Array => {
    const picked = pickTargets(targets, rows);
    return "shape" in picked ? picked.data : picked;
  };
  const answered = kinds.map((kind) =>
    answersByRow(
      trained.filter((one) => one.kind === kind),
      parts,
      outputs,
    ),
  );
  const [first] = answered;
  const rows = first?.rows ?? new Uint32Array();
  const isWhole = answered.every((one) => one.rows.length === rows.length);
  const held = truthOf(rows);
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
    const { kind, fold, best, history } = member;
    const { epoch, value } = best ?? { epoch: 0, value: Number.NaN };
    return { kind, fold: fold + 1, weight: weightOf(member), best: { epoch, value }, history };
  });
  const metric = monitorOf(target.task, settings.metric);
  const { preset, seed } = settings;
  const facts = { preset, metric, members, score, kinds: prepared.table.kinds, seed };
  keepFacts(model, preparation, facts);
  const outOfFold: OutOfFold = {
    rows: rows.map((row) => numbers[row] ?? 0),
    answers: new Tensor(mixedAnswers, [rows.length, outputs], "f32"),
    targets: held,
  };
  const step = trained.reduce((sum, one) => sum + one.step, 0);
  return { model: new TabularModel(model, preparation, facts, outOfFold), step, score };
}

/** Answers of members of one kind to the rows that each has not seen, in the order of the rows. */
function answersByRow(
  members: readonly Member[],
  parts: readonly MemberRows[],
  width: number,
): { readonly rows: Uint32Array; readonly data: Float32Array } {
  const places = members.flatMap(({ fold, answers }) =>
    Array.from(parts[fold]?.validation ?? [], (row, at) => ({ row, answers, at })),
  );
  places.sort((a, b) => a.row - b.row);
  const data = new Float32Array(places.length * width);
  places.forEach(({ answers, at }, place) => {
    data.set(answers.subarray(at * width, (at + 1) * width), place * width);
  });
  return { rows: Uint32Array.from(places, ({ row }) => row), data };
}
