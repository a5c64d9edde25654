import type { Affine } from "../../data/transform.js";
import { isDoubles, isFloats, isInts } from "../../tensor/arrays.js";
import type { Call } from "./call.js";
import type { FlatRows, InputRows } from "./frozen_input.js";
import {
  type CallInput,
  changeRows,
  failValue,
  firstNotFinite,
  isPrecise,
  pathOf,
  rejecting,
  rowsIn,
  type Stage,
  writeRows,
} from "./rows.js";
import type { Stages } from "./stages.js";

const NO_ROWS = new Float32Array();

/** An input of the calls of a batch. */
export interface Staged {
  /** Copies the rows of a call behind the first `before` rows. */
  add(call: Call, x: unknown, before: number): void;
  /** Gives its memory back. */
  release(): void;
  /** Rows [begin, end) in memory of their own. */
  slice(begin: number, end: number): Staged;
  /** Lets rows [from, from + rows) stand from row `to` on. */
  move(to: number, from: number, rows: number): void;
  /** Refuses calls whose values do not fit; of lists whose bags are means (`averaged`), those that have weights. */
  refuse(calls: readonly Call[], rows: number, averaged: boolean): void;
  /** The rows as the network takes them; in memory of so many elements of `changed` where they are not that already. A call whose values do not fit is told so. */
  rowsFor(
    calls: readonly Call[],
    rows: number,
    affine: Affine | undefined,
    changed: (count: number) => Float32Array,
  ): InputRows;
}

/** An input whose rows have a width: one behind the other. */
export class StagedInput implements Staged {
  readonly #input: CallInput;
  readonly #stages: Stages;
  #stage: Stage;

  /** @param stages What its memory is taken from. */
  constructor(input: CallInput, stages: Stages, stage: Stage = NO_ROWS) {
    this.#input = input;
    this.#stages = stages;
    this.#stage = stage;
  }

  /** Copies the rows of a call behind the first `before` rows. Of floats it is looked at when the batch begins whether they are finite. */
  add(call: Call, x: unknown, before: number): void {
    const input = this.#input;
    const given = rowsIn(x, input);
    const { columns, dtype } = input;
    const room = (before + call.rows) * columns;
    const precise = dtype === "f32" && isPrecise(given);
    const widens = precise && isFloats(this.#stage);
    if (widens || this.#stage.length < room) this.#move(before, before + call.rows, precise || this.#isPrecise);
    const at = before * columns;
    if (isFloats(given) && dtype === "f32") this.#stage.set(given, at);
    else writeRows(pathOf(call.where, input), given, input, this.#stage, at);
  }

  get #isPrecise(): boolean {
    return isDoubles(this.#stage);
  }

  /** Takes other memory, for so many rows. */
  #move(before: number, rows: number, precise: boolean): void {
    const stage = this.#stage;
    this.#stage = this.#stages.take(rows, precise);
    if (before > 0) this.#stage.set(stage.subarray(0, before * this.#input.columns));
    this.#stages.give(stage);
  }

  release(): void {
    this.#stages.give(this.#stage);
  }

  slice(begin: number, end: number): StagedInput {
    const { columns } = this.#input;
    return new StagedInput(this.#input, this.#stages, this.#stage.slice(begin * columns, end * columns));
  }

  move(to: number, from: number, rows: number): void {
    const { columns } = this.#input;
    this.#stage.copyWithin(to * columns, from * columns, (from + rows) * columns);
  }

  /** Those with values that are not finite. */
  refuse(calls: readonly Call[], rows: number): void {
    const [stage, input] = [this.#stage, this.#input];
    if (!isFloats(stage) || firstNotFinite(stage, rows * input.columns) < 0) return;
    let begin = 0;
    for (const call of calls) {
      const values = stage.subarray(begin, begin + call.rows * input.columns);
      const bad = call.over ? -1 : firstNotFinite(values);
      if (bad >= 0) rejecting(call, () => failValue(pathOf(call.where, input), values, input, bad));
      begin += values.length;
    }
  }

  rowsFor(
    calls: readonly Call[],
    rows: number,
    affine: Affine | undefined,
    changed: (count: number) => Float32Array,
  ): FlatRows {
    const [stage, input] = [this.#stage, this.#input];
    if (isInts(stage)) return stage;
    if (affine === undefined && isFloats(stage)) return stage;
    const target = changed(stage.length);
    if (changeRows(affine, stage, rows * input.columns, target) < 0) return target;
    let begin = 0;
    for (const call of calls) {
      const end = begin + call.rows * input.columns;
      const bad = firstNotFinite(target.subarray(begin, end));
      if (bad >= 0) {
        const given = stage.subarray(begin, end);
        rejecting(call, () => failValue(pathOf(call.where, input), given, input, bad));
        target.fill(0, begin, end); // nobody else is touched
      }
      begin = end;
    }
    return target;
  }
}
