import { SegmentSlab, type Stretch } from "../nn/memory/slab.js";
import type { AnyModel } from "../nn/model/model.js";
import type { OptimizerState } from "./optimizer.js";
import { type Group, groupOf } from "./partition.js";

/** Memory that an optimizer needs for one model: as many slabs as its hungriest group has states. */
export class ModelState {
  readonly slots: readonly SegmentSlab[];
  readonly average: SegmentSlab | null;
  readonly #model: AnyModel;
  readonly #groups: readonly Group[];

  constructor(model: AnyModel, groups: readonly Group[], averaged: boolean) {
    this.#model = model;
    this.#groups = groups;
    const make = (): SegmentSlab => new SegmentSlab(model.segments, model.total);
    const counts = model.segments.map(({ name }) => this.#statesOf(name).length);
    this.slots = Array.from({ length: Math.max(0, ...counts) }, make);
    this.average = averaged ? make() : null;
    this.#writeInitial();
  }

  /** Where the states lie: each with all of its parameters' names, then the averages. */
  stretches(): readonly Stretch[] {
    const { segments } = this.#model;
    const places = new Map(segments.map((segment) => [segment.name, segment]));
    const stretch = (key: string, parameter: string, memory: SegmentSlab | null | undefined): Stretch[] => {
      const { shape, offset } = places.get(parameter) ?? { shape: [], offset: 0 };
      return memory == null ? [] : [{ key, shape, slab: memory.slab, offset }];
    };
    return [
      ...this.#names().flatMap(({ key, parameter, slot }) => stretch(key, parameter, this.slots[slot])),
      ...segments.flatMap(({ name }) => stretch(`average/${name}`, name, this.average)),
    ];
  }

  /** `ERR_BUSY` while a call of a program changes them. */
  expectStill(where: string): void {
    for (const { shared } of this.slots) shared.expectStill(where);
    this.average?.shared.expectStill(where);
  }

  /** Overwrites all states; `ERR_STATE` where one is missing. */
  restore(states: ReadonlyMap<string, Float32Array>): void {
    const names = this.#names();
    for (const [index, slot] of this.slots.entries()) {
      const values = slot.read(); // parameters whose optimizer has fewer states keep their zeros
      for (const { key, parameter, slot: own } of names) {
        if (own === index) values.set(parameter, states.get(key) ?? new Float32Array());
      }
      slot.write(values, "state");
    }
    const averages = this.#model.segments.map(({ name }): [string, Float32Array] => {
      return [name, states.get(`average/${name}`) ?? new Float32Array()];
    });
    this.average?.write(new Map(averages), "average");
  }

  #statesOf(parameter: string): readonly OptimizerState[] {
    return this.#groups[groupOf(this.#groups, parameter)]?.optimizer?.states ?? [];
  }

  #names(): readonly { readonly key: string; readonly parameter: string; readonly slot: number }[] {
    return this.#model.segments.flatMap(({ name }) =>
      this.#statesOf(name).map((state, slot) => ({ key: `${state.name}/${name}`, parameter: name, slot })),
    );
  }

  /** Into new memory, which is 0. */
  #writeInitial(): void {
    const { segments } = this.#model;
    for (const [index, slot] of this.slots.entries()) {
      const initialOf = (name: string): number => this.#statesOf(name)[index]?.initial ?? 0;
      if (segments.every(({ name }) => initialOf(name) === 0)) continue;
      const values = segments.map(({ name, count }): [string, Float32Array] => {
        return [name, new Float32Array(count).fill(initialOf(name))];
      });
      slot.write(new Map(values), "state");
    }
  }
}
