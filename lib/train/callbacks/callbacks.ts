import { CarillonError, fail } from "../../errors.js";
import type { State } from "../../io/state.js";
import type { RunControl } from "../../nn/evaluation/run_control.js";
import { checkFunction, checkNumber } from "../../options.js";
import type { Best, Callback, CallbackHooks, Decision, Ending, Every } from "./callback.js";
import { isOfValidation } from "./figure_ranges.js";
import type { Watched } from "./monitor.js";

/** When something is done that says nothing else. */
export const EVERY_EPOCH: Every = { epochs: 1 };

/** Callbacks without `begin` that a run has. */
const taken = new WeakSet<Callback>();

/** Takes callbacks for a run; `ERR_BUSY` if another run has one that cannot serve both. */
export function takeCallbacks(callbacks: readonly Callback[]): () => void {
  const own = callbacks.filter(({ begin }) => begin === undefined);
  for (const callback of own) {
    if (!taken.has(callback)) continue;
    const { name } = callback;
    throw new CarillonError(
      "ERR_BUSY",
      "fit.callbacks",
      `expected a callback '${name}' of its own for 'fit.callbacks' but another run has it: make one for each run, or give ` +
        "it 'begin', which makes the hooks of a run",
    );
  }
  for (const callback of own) taken.add(callback);
  return () => {
    for (const callback of own) taken.delete(callback);
  };
}

/** A run as one of its callbacks sees it at a step. */
export interface AskingRun {
  readonly step: number;
  readonly epoch: number;
  readonly watched: Watched;
  readonly validationStep: number | undefined;
  weights(): ReadonlyMap<string, Float32Array>;
  checkpoint(): Uint8Array;
}

/** Decisions of the callbacks so far: a part of a checkpoint. */
export interface Decided {
  readonly rateScale: number;
  /** Name of the callback that has stopped the run at this step. */
  readonly stoppedBy: string | null;
  /** Names of the callbacks that have still to decide at this step. */
  readonly pending: readonly string[];
  /** Names of those whose own time has come, and which wait for the next validation. */
  readonly owed: readonly string[];
  readonly callbacks: Readonly<Record<string, State>>;
}

/** Holds a run for as long as a callback may ask something of it, so that one who keeps the decision does not keep the run. */
class Access {
  #run: AskingRun | undefined;

  constructor(run: AskingRun) {
    this.#run = run;
  }

  end(): void {
    this.#run = undefined;
  }

  run(name: string): AskingRun {
    if (this.#run !== undefined) return this.#run;
    throw new CarillonError("ERR_STATE", name, `the decision of '${name}' is over`);
  }
}

/** The callbacks of one run: whose turn it is, and what they have decided. */
export class Callbacks {
  readonly #members: readonly Callback[];
  readonly #control: RunControl;
  /** Periods at whose steps a run has to stop for them; a validation is a stop anyway. */
  readonly periods: readonly Every[];
  #hooks: ReadonlyMap<string, CallbackHooks> = new Map();
  #rateScale = 1;
  #stoppedBy: string | null = null;
  #pending: readonly string[] = [];
  readonly #owed = new Set<string>();
  /** Who has given the model its weights at the end of the run. */
  #setter: CallbackHooks | undefined;

  constructor(members: readonly Callback[], control: RunControl) {
    this.#members = members;
    this.#control = control;
    this.periods = members.flatMap(({ every, monitor }) =>
      every === undefined && watchesValidation(monitor) ? [] : [every ?? EVERY_EPOCH],
    );
  }

  /** Before the first step; gives them what a checkpoint of a `step` has kept of them. */
  begin(then: (Decided & { readonly step: number }) | undefined): void {
    this.#hooks = new Map(this.#members.map((member) => [member.name, hooksOf(member)]));
    for (const [name, hooks] of this.#hooks) checkDone(`${name}.start`, hooks.start?.({ step: then?.step ?? 0 }));
    if (then === undefined) return;
    for (const [name, hooks] of this.#hooks) {
      if (!Object.hasOwn(then.callbacks, name)) continue; // a new one begins anew
      checkDone(`${name}.restore`, hooks.restore?.(then.callbacks[name] ?? null));
    }
    this.#rateScale = then.rateScale;
    this.#pending = then.pending.filter((name) => this.#hooks.has(name));
    for (const name of then.owed) if (this.#hooks.has(name)) this.#owed.add(name);
  }

  /** The run is over: this callback had stopped it before it was resumed. */
  stopAs(name: string | null): void {
    this.#stoppedBy = name;
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  /** Factor of the learning rates. */
  get rateScale(): number {
    return this.#rateScale;
  }

  get stoppedBy(): string | null {
    return this.#stoppedBy;
  }

  get pending(): readonly string[] {
    return this.#pending;
  }

  /** The best step of the last one that has set the weights; otherwise of the first one that looks for one. */
  get best(): Best | undefined {
    const found = this.#setter?.best;
    return found ?? [...this.#hooks.values()].find(({ best }) => best !== undefined)?.best;
  }

  decided(): Decided {
    return {
      rateScale: this.#rateScale,
      stoppedBy: this.#stoppedBy,
      pending: this.#pending,
      owed: [...this.#owed],
      callbacks: Object.fromEntries([...this.#hooks].map(([name, hooks]) => [name, hooks.state?.() ?? null])),
    };
  }

  /** Notes at a step whose time has come and who waits for a validation. */
  owe(isDue: (every: Every) => boolean): void {
    for (const { name, every, monitor } of this.#members) {
      if (every !== undefined && watchesValidation(monitor) && isDue(every)) this.#owed.add(name);
    }
  }

  /** Names of those who decide at a step, where the set was measured or not, and which is the last one or not. */
  due(isDue: (every: Every) => boolean, validated: boolean, last: boolean): readonly string[] {
    const asked = this.#members.filter(({ name, every, monitor }) => {
      if (watchesValidation(monitor)) return validated && (last || every === undefined || this.#owed.has(name));
      return isDue(every ?? EVERY_EPOCH) || (last && every === undefined && monitor === undefined);
    });
    return asked.map(({ name }) => name);
  }

  /** Lets them decide in their order. Who is still at it behind a stop, and who comes after it, stays pending. */
  async ask(names: readonly string[], run: AskingRun): Promise<void> {
    for (const [index, name] of names.entries()) {
      this.#pending = names.slice(index + 1);
      if (await this.#ask(name, run)) continue;
      this.#pending = names.slice(index);
      return;
    }
  }

  async #ask(name: string, run: AskingRun): Promise<boolean> {
    const access = new Access(run);
    const owed = this.#owed.delete(name);
    const decision: Decision = {
      step: run.step,
      epoch: run.epoch,
      ...run.watched,
      validationStep: run.validationStep,
      rateScale: this.#rateScale,
      stop: () => {
        access.run(name);
        this.#stoppedBy ??= name;
      },
      weights: () => access.run(name).weights(),
      checkpoint: () => {
        const asking = access.run(name);
        this.#takeRate(name, decision);
        return asking.checkpoint();
      },
    };
    try {
      if ((await this.#control.unlessEnded(this.#hooks.get(name)?.decide(decision))) === undefined) {
        if (owed) this.#owed.add(name);
        return false;
      }
    } finally {
      access.end();
    }
    this.#takeRate(name, decision);
    return true;
  }

  #takeRate(name: string, { rateScale }: Decision): void {
    this.#rateScale = checkNumber(`${name}.rateScale`, rateScale, { min: 0 });
  }

  /** Tells all of the end of the run; `setWeights` is of no use later. */
  async end({ reason, step, setWeights }: Ending): Promise<void> {
    for (const [name, hooks] of this.#hooks) {
      let set: Ending["setWeights"] | undefined = setWeights;
      const late = (): never => {
        throw new CarillonError("ERR_STATE", name, `the end of '${name}' is over`);
      };
      const give: Ending["setWeights"] = (weights) => {
        (set ?? late)(weights);
        this.#setter = hooks;
      };
      await this.#control.unlessEnded(hooks.end?.({ reason, step, setWeights: give }));
      set = undefined;
    }
  }
}

/** `start` and `restore` are not waited for: one that is not done when it returns would be at work during the first steps. */
function checkDone(where: string, given: unknown): void {
  if (typeof given === "object" && given !== null && "then" in given) fail("ERR_OPTION", where, "nothing", given);
}

function watchesValidation(monitor: string | undefined): boolean {
  return monitor !== undefined && isOfValidation(monitor);
}

function hooksOf(callback: Callback): CallbackHooks {
  const hooks = callback.begin?.() ?? callback;
  if ("then" in hooks) fail("ERR_OPTION", `${callback.name}.begin`, "hooks", hooks);
  checkFunction(`${callback.name}.begin().decide`, hooks.decide);
  return hooks;
}
