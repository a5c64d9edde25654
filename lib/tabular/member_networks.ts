// The networks of a run's members, in the form that is trained and in that which is kept.
import { fail } from "../errors.js";
import type { AnyModel } from "../nn/model/model.js";
import { boundsOf } from "./encoding.js";
import { type NetworkKind, networkOf } from "./networks.js";
import type { CheckedTabular } from "./options.js";
import { outputsOf } from "./plan.js";
import type { Prepared } from "./prepared.js";

/** Shares of hidden units that are dropped, by kind. */
const DROPPED: Readonly<Record<NetworkKind, number>> = { realMlpSmall: 0, realMlp: 0.15, tabM: 0.1 };

/** A member before its training. */
export interface Planned {
  readonly kind: NetworkKind;
  readonly fold: number;
}

/** Makes the networks of members. */
export class MemberNetworks {
  readonly #settings: CheckedTabular;
  readonly #prepared: Prepared;

  constructor(settings: CheckedTabular, prepared: Prepared) {
    this.#settings = settings;
    this.#prepared = prepared;
  }

  /** Whether networks that are trained read texts as lists. */
  get lists(): boolean {
    const { encoded, preparation } = this.#prepared;
    return encoded.takesLists && preparation.inputs.texts.length > 0;
  }

  /** Trains a network of the same parameters as `model`, which has their weights, and what they mean, then. */
  async trained<T>(planned: Planned, model: AnyModel, train: (model: AnyModel) => Promise<T>): Promise<T> {
    if (!this.lists) return await train(model);
    const listed = this.modelFor(planned, true);
    if (model.initialized) listed.setWeights(model.weights());
    const trained = await train(listed);
    model.setWeights(listed.weights());
    model.changeMeaning(listed.meaning);
    return trained;
  }

  /** A network of a member, without weights. */
  modelFor({ kind, fold }: Planned, lists = false): AnyModel {
    const { preparation, parts, targets, units } = this.#prepared;
    const target = preparation.target ?? fail("ERR_STATE", "fit", "a target", undefined);
    const { outputs, mixing } = outputsOf(target);
    const rows = parts[fold]?.train ?? new Uint32Array();
    return networkOf({
      kind,
      inputs: preparation.inputs,
      lists,
      flagWidths: preparation.flagWidths,
      second: preparation.second,
      secondWidths: preparation.secondWidths,
      outputs,
      mixing,
      hidden: this.#settings.hidden,
      dropout: this.#settings.dropout ?? DROPPED[kind],
      bounds: mixing === "values" && kind !== "realMlpSmall" ? boundsOf(targets, rows, units) : undefined,
    });
  }

  /** The units of the targets, which nothing but this run knows. */
  restoreUnits(model: AnyModel): void {
    const { units } = this.#prepared;
    const [output] = model.meaning.outputs;
    if (units !== undefined && output !== undefined)
      model.changeMeaning({ ...model.meaning, outputs: [{ ...output, units }] });
  }
}
