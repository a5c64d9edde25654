// Trains the members of a run, several at once, and tells how far they are.
import { now } from "../binding/clock.js";
import type { RunControl } from "../nn/evaluation/run_control.js";
import { drawFromData } from "../nn/model/draw_from_data.js";
import type { AnyModel } from "../nn/model/model.js";
import { fitAny } from "../train/fit.js";
import { allOrStop } from "./all_or_stop.js";
import type { Member } from "./bag.js";
import { drawnRows } from "./divisions.js";
import type { TabularEvent, TabularFigure } from "./events.js";
import { keptEpochs } from "./kept_epochs.js";
import { batchOf, type MemberStep, type MemberTraining, trainAgain, trainMember } from "./member.js";
import { MemberNetworks, type Planned } from "./member_networks.js";
import type { NetworkKind } from "./networks.js";
import type { CheckedTabular, TabularFitOptions } from "./options.js";
import { Pace } from "./pace.js";
import { KINDS, lossOf, optimizerOf, type TrainingPlan, trainingPlan } from "./plan.js";
import type { Prepared } from "./prepared.js";
import { answersToRows, type TabularHistoryEpoch } from "./tabular_model.js";

/** Steps after which the time is told that training will take. */
const TRIAL = 50;

/** How long a step takes beside one of RealMLP-TD, about, as it is mostly done early where it is not trained to its end. */
const COST: Readonly<Record<NetworkKind, number>> = { realMlpSmall: 0.6, realMlp: 1, tabM: 5 };

/** Names of the inputs of a model. */
function namesOf({ rows }: AnyModel): readonly string[] {
  return rows.inputs.map(({ name }) => name);
}

interface Means {
  emit(event: TabularEvent): void;
  seconds(): number;
  readonly control: RunControl;
}

interface Stoppable {
  stop(): void;
  pause(): void;
  resume(): void;
}

/** The members of a run. */
export class Training {
  readonly #settings: CheckedTabular;
  readonly #prepared: Prepared;
  readonly #options: TabularFitOptions;
  readonly #means: Means;
  readonly #planned: readonly Planned[];
  readonly #running = new Set<Stoppable>();
  #pace: Pace;
  #epochs: number;
  readonly #plan: TrainingPlan;
  readonly #networks: MemberNetworks;
  #told = false;

  constructor(settings: CheckedTabular, prepared: Prepared, options: TabularFitOptions, means: Means) {
    this.#settings = settings;
    this.#prepared = prepared;
    this.#options = options;
    this.#means = means;
    this.#planned = prepared.parts.flatMap((_, fold) => KINDS[settings.preset].map((kind) => ({ kind, fold })));
    this.#plan = trainingPlan(prepared.preparation, settings, options.rows, prepared.encoded.rows);
    this.#epochs = this.#plan.epochs;
    this.#networks = new MemberNetworks(settings, prepared);
    this.#pace = this.#paced();
  }

  /** The members that have an epoch or more behind them, in their order. */
  async run(): Promise<readonly Member[]> {
    const { control } = this.#means;
    const threads = this.#settings.threads;
    const together = Math.max(1, Math.min(threads, this.#planned.length));
    const each = Math.max(1, Math.floor(threads / together));
    this.#start(threads);
    const off = control.onInterrupt(() => {
      if (control.ended) for (const one of this.#running) one.stop();
      else if (!control.free) this.#rest().catch(() => undefined);
    });
    const { minutes } = this.#settings;
    try {
      if (minutes !== undefined) {
        const { checkpoint } = this.#options;
        const epochs = await keptEpochs(checkpoint, () => this.#epochsIn(minutes, together, each));
        if (epochs === undefined) return [];
        this.#epochs = epochs;
      }
      this.#pace = this.#paced();
      return await this.#all(together, each);
    } finally {
      off();
    }
  }

  async #all(together: number, each: number): Promise<readonly Member[]> {
    const { control } = this.#means;
    const members: (Member | undefined)[] = this.#planned.map(() => undefined);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < this.#planned.length && (await control.passable())) {
        const at = next;
        next += 1;
        members[at] = await this.#train(at, each);
      }
    };
    await allOrStop(Array.from({ length: together }, worker), () => {
      for (const one of this.#running) one.stop();
    });
    return members.filter((member) => member !== undefined);
  }

  async #rest(): Promise<void> {
    for (const one of this.#running) one.pause();
    await this.#means.control.passable(); // an abort is told by the members
    for (const one of this.#running) one.resume();
  }

  /** From now on it rests and ends with this run. */
  #join(run: Stoppable): void {
    this.#running.add(run);
    if (this.#means.control.ended) run.stop();
    else if (!this.#means.control.free) run.pause();
  }

  /** Steps of an epoch of a member. */
  #stepsOf({ fold }: Planned): { readonly batchSize: number; readonly steps: number } {
    return batchOf(this.#prepared.parts[fold]?.train.length ?? 1, this.#plan.batchSize);
  }

  /** Of members that begin now. */
  #paced(): Pace {
    const { control } = this.#means;
    const [began, waited] = [now(), control.waited];
    const members = this.#planned.map((planned) => {
      const { batchSize, steps } = this.#stepsOf(planned);
      const again = this.#plan.isAgain ? batchOf(this.#prepared.encoded.rows, this.#plan.batchSize).steps : 0;
      return { steps: this.#epochs * (steps + again), batchSize, cost: COST[planned.kind] };
    });
    return new Pace(members, () => (now() - began - (control.waited - waited)) / 1000);
  }

  #start(threads: number): void {
    const [first] = this.#planned;
    if (first === undefined) return;
    const { preparation, encoded, warnings } = this.#prepared;
    const { numbers, flags, categories, texts } = preparation.inputs;
    const model = this.#networks.modelFor(first);
    this.#means.emit({
      kind: "start",
      step: 0,
      task: preparation.target?.task ?? "value",
      rows: encoded.rows,
      held: this.#prepared.numbers !== undefined,
      columns: numbers.length + flags.length + categories.length + texts.length,
      members: this.#planned.length,
      epochs: this.#epochs,
      stepsPerEpoch: this.#stepsOf(first).steps,
      parameters: model.parameters.reduce((sum, { shape }) => sum + shape.reduce((size, one) => size * one, 1), 0),
      threads,
      warnings,
    });
  }

  /** As many epochs as fit into the time, by the pace of the first steps of a trial that is thrown away; `undefined` where the run was stopped in it. */
  async #epochsIn(minutes: number, together: number, threads: number): Promise<number | undefined> {
    const [first] = this.#planned;
    if (first === undefined) return this.#epochs;
    const { batchSize, steps } = this.#stepsOf(first);
    const rows = this.#prepared.parts[first.fold]?.train ?? new Uint32Array();
    const { task, settings } = { task: this.#prepared.preparation.target?.task ?? "value", settings: this.#settings };
    const { control } = this.#means;
    const { signal } = this.#options;
    const model = this.#networks.modelFor(first, this.#networks.lists);
    const trial = fitAny(model, {
      data: this.#prepared.encoded.take(rows, "training", namesOf(model)),
      loss: lossOf(task, this.#plan.monitor),
      optimizer: optimizerOf(first.kind, task, this.#prepared.preparation.inputs, settings),
      steps: TRIAL,
      batchSize,
      threads,
      ...(signal === undefined ? {} : { signal }),
    });
    this.#join(trial);
    const [began, waited] = [now(), control.waited];
    const { seconds } = await trial;
    this.#running.delete(trial);
    if (!(await control.passable())) return undefined;
    const passed = now() - began - (control.waited - waited);
    const pace = Math.max(seconds, passed / 1000 / 2) / TRIAL;
    const left = minutes * 60 - this.#means.seconds();
    const work = this.#planned.reduce((sum, { kind }) => sum + COST[kind] / COST[first.kind], 0);
    const again = this.#plan.isAgain ? this.#prepared.encoded.rows / rows.length : 0;
    const epoch = (pace * steps * work * (1 + again) * 1.15) / together;
    return Math.max(1, Math.min(this.#epochs, Math.floor(left / epoch)));
  }

  async #train(at: number, threads: number): Promise<Member | undefined> {
    const planned = this.#planned[at];
    const { parts, preparation, encoded } = this.#prepared;
    const part = planned && parts[planned.fold];
    if (planned === undefined || part === undefined) return undefined;
    const { kind, fold } = planned;
    const settings = this.#settings;
    const { checkpoint, signal, priority } = this.#options;
    const task = preparation.target?.task ?? "value";
    const monitor = this.#plan.monitor;
    const model = this.#networks.modelFor(planned);
    const seed = (settings.seed % 4_294_967_296) * 1024 + at;
    const names = namesOf(model);
    const train = encoded.take(part.train, "training", names);
    const validation = encoded.take(part.validation, "validation", names);
    if (kind === "realMlp")
      await drawFromData(model, await encoded.pick(drawnRows(part.train), names), { seed, layers: "head.*" });
    const { batchSize, steps } = this.#stepsOf(planned);
    let running: Stoppable | undefined;
    const training: MemberTraining = {
      loss: lossOf(task, monitor),
      optimizer: optimizerOf(kind, task, preparation.inputs, settings),
      regularizer: settings.regularizer,
      epochs: this.#epochs,
      batchSize,
      stepsPerEpoch: steps,
      seed,
      threads,
      priority,
      monitor,
      patience: this.#plan.patienceOf(kind),
      signal,
      checkpoint:
        checkpoint === undefined
          ? undefined
          : { dir: `${checkpoint.dir}/member-${at + 1}`, resume: checkpoint.resume ?? false },
      onStart: (run) => {
        running = run;
        this.#join(run);
      },
      onBegin: (step) => this.#pace.begin(at, step),
      onStep: ({ step, epoch, loss }) => {
        this.#pace.reach(at, step);
        this.#tell(at, { step, epoch, loss });
      },
      onEpoch: ({ epoch, step, loss, validationLoss, value, best }) => {
        this.#pace.reach(at, step);
        this.#expect();
        const figure = this.#figure(value);
        this.#means.emit({
          kind: "epoch",
          ...{ member: at + 1, members: this.#planned.length, step, epoch, epochs: this.#epochs, loss },
          validation: { loss: validationLoss, figure },
          best: { epoch: best.epoch, value: this.#figure(best.value).value },
          seconds: this.#means.seconds(),
          secondsLeft: this.#pace.secondsLeft,
        });
      },
    };
    const trained = await this.#networks.trained(planned, model, (own) =>
      trainMember(own, train, validation, training),
    );
    if (running !== undefined) this.#running.delete(running);
    if (trained.step === 0 || trained.best === undefined) return undefined;
    const whole = this.#plan.isAgain
      ? await this.#trainAgain(at, { planned, epochs: trained.best.epoch, begun: trained.step, training })
      : undefined;
    if (running !== undefined) this.#running.delete(running);
    this.#pace.end(at);
    for (const one of [model, whole?.model]) if (one !== undefined) this.#networks.restoreUnits(one);
    const answers = await answersToRows(model, encoded, part.validation, task);
    const figure = this.#figure(trained.best.value);
    const { step, epochs } = trained;
    const history = epochs.map(({ epoch, loss, validationLoss, value }): TabularHistoryEpoch => {
      return { epoch, loss, validationLoss, value: this.#figure(value).value };
    });
    const best = { epoch: trained.best.epoch, figure };
    this.#means.emit({
      kind: "member",
      member: at + 1,
      members: this.#planned.length,
      step,
      best,
      seconds: this.#means.seconds(),
    });
    const own = {
      kind,
      fold,
      model: whole?.model ?? model,
      again: whole !== undefined,
      step: step + (whole?.steps ?? 0),
    };
    return { ...trained, ...own, best: { epoch: best.epoch, value: figure.value }, history, answers };
  }

  /** A network as that of a member, trained on all rows for so many epochs; `undefined` where the run ends before. */
  async #trainAgain(
    at: number,
    {
      planned,
      epochs,
      begun,
      training,
    }: {
      readonly planned: Planned;
      readonly epochs: number;
      readonly begun: number;
      readonly training: MemberTraining;
    },
  ): Promise<{ readonly model: AnyModel; readonly steps: number } | undefined> {
    const { encoded } = this.#prepared;
    if (!(await this.#means.control.passable())) return undefined;
    const model = this.#networks.modelFor(planned);
    const all = Uint32Array.from({ length: encoded.rows }, (_, row) => row);
    const { batchSize, steps } = batchOf(all.length, this.#plan.batchSize);
    const { checkpoint } = training;
    this.#pace.plan(at, begun + epochs * steps);
    const again = {
      ...training,
      batchSize,
      stepsPerEpoch: steps,
      checkpoint: checkpoint && { ...checkpoint, dir: `${checkpoint.dir}-all` },
      onBegin: (step: number) => {
        if (step > 0) this.#pace.begin(at, begun + step);
      },
      onStep: ({ step, epoch, loss }: MemberStep) => {
        this.#pace.reach(at, begun + step);
        const before = this.#epochs;
        this.#tell(at, { step: begun + step, epoch: before + epoch, loss }, before + epochs);
      },
    } satisfies Partial<MemberTraining>;
    const data = encoded.take(all, "training", namesOf(model));
    const isWhole = await this.#networks.trained(planned, model, (own) => trainAgain(own, data, epochs, again));
    return isWhole ? { model, steps: epochs * steps } : undefined;
  }

  /** A figure in the units of the target. */
  #figure(value: number): TabularFigure {
    const { units } = this.#prepared;
    const monitor = this.#plan.monitor;
    if (monitor === "rmse")
      return { name: "rmse", value: units?.scale.length === 1 ? value * (units.scale[0] ?? 1) : value };
    return { name: monitor === "accuracy" ? "accuracy" : "logLoss", value };
  }

  #expect(): void {
    if (this.#told || this.#pace.own < TRIAL) return;
    this.#told = true;
    this.#means.emit({
      kind: "expected",
      step: this.#pace.steps,
      secondsLeft: this.#pace.secondsLeft,
      epochs: this.#epochs,
    });
  }

  #tell(
    at: number,
    { step, epoch, loss }: { readonly step: number; readonly epoch: number; readonly loss: number },
    epochs = this.#epochs,
  ): void {
    this.#expect();
    this.#means.emit({
      kind: "step",
      ...{ member: at + 1, members: this.#planned.length, step, epoch, epochs, loss },
      rowsPerSecond: this.#pace.rowsPerSecond,
      seconds: this.#means.seconds(),
      secondsLeft: this.#pace.secondsLeft,
    });
  }
}
