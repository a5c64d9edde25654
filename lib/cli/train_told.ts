// What `carillon train` says while it trains: a line on a terminal, plain lines elsewhere, or JSON lines.
import { countText } from "../counts.js";
import type { Measures, TabularEvent } from "../index.js";
import { durationText, figureText, progressText, type Standing } from "../train/progress/line.js";
import { isTerminal, TerminalLine } from "../train/progress/terminal.js";
import { complain, print } from "./terms.js";

/** Where a run tells of itself. */
export interface Told {
  take(event: TabularEvent): void;
  /** A line that stays. */
  say(text: string): void;
  /** What came of the run. */
  result(path: string, score: Measures): void;
  /** Takes a line away that is written again and again. */
  end(): void;
}

/** Milliseconds between two plain lines of an epoch. */
const PLAIN_INTERVAL = 10_000;

/** How far the members of a run are, of which several are trained at once. */
class Standings {
  readonly #epochs = new Map<number, number>();

  take(event: Extract<TabularEvent, { kind: "step" | "epoch" }>): Standing {
    const { member, members, epoch, epochs, loss, secondsLeft } = event;
    this.#epochs.set(member, event.kind === "epoch" ? epoch : epoch - 1);
    const whole = [...this.#epochs.values()].reduce((sum, one) => sum + one, 0);
    const of = members > 1 ? `member ${member}/${members}, ` : "";
    return {
      place: `${of}epoch ${epoch}/${epochs}`,
      done: Math.min(1, whole / (members * epochs)),
      figures: [["loss", loss]],
      rowsPerSecond: event.kind === "step" ? event.rowsPerSecond : undefined,
      secondsLeft,
    };
  }
}

/** Sentences about a run, as people read them; `undefined` for events that only move it on. */
export function sentencesOf(event: TabularEvent): readonly string[] {
  switch (event.kind) {
    case "start": {
      const { task, rows, members, epochs, parameters, warnings } = event;
      const bag = members > 1 ? `${members} members of ` : "";
      const head = `${task}: ${countText(rows, "row")}, ${bag}${countText(parameters, "weight")}, ${countText(epochs, "epoch")}`;
      return [head, ...warnings.map(({ text }) => `warning: ${text}`)];
    }
    case "expected":
      return [`about ${durationText(event.secondsLeft)} for ${countText(event.epochs, "epoch")}`];
    case "member":
      return event.members > 1
        ? [
            `member ${event.member}/${event.members}: ${event.best.figure.name} ${figureText(event.best.figure.value)} at epoch ${event.best.epoch}`,
          ]
        : [];
    default:
      return [];
  }
}

/** On a terminal: sentences, and below them a line. */
class OnTerminal implements Told {
  readonly #line = new TerminalLine(process.stderr);
  readonly #standings = new Standings();
  #figures: Standing["figures"] = [];
  #pace: number | undefined;

  take(event: TabularEvent): void {
    for (const text of sentencesOf(event)) this.say(text);
    if (event.kind === "stage")
      this.#line.show(event.rows === undefined ? event.stage : `${event.stage}, ${countText(event.rows, "row")}`);
    if (event.kind !== "step" && event.kind !== "epoch") return;
    if (event.kind === "step") this.#pace = event.rowsPerSecond;
    const { validation } = event.kind === "epoch" ? event : {};
    if (validation !== undefined) this.#figures = [[`validation ${validation.figure.name}`, validation.figure.value]];
    const at = this.#standings.take(event);
    const figures = [...at.figures, ...this.#figures];
    this.#line.show(
      progressText({ ...at, figures, rowsPerSecond: at.rowsPerSecond ?? this.#pace }, this.#line.columns),
    );
  }

  say(text: string): void {
    this.#line.print(text);
  }

  result(path: string): void {
    print(path);
  }

  end(): void {
    this.#line.clear();
  }
}

/** Elsewhere: sentences, and a line now and then. */
class AsLines implements Told {
  readonly #standings = new Standings();
  #told = Number.NEGATIVE_INFINITY;

  take(event: TabularEvent): void {
    for (const text of sentencesOf(event)) this.say(text);
    if (event.kind !== "epoch") return;
    const at = this.#standings.take(event);
    const now = performance.now();
    const last = event.epoch === event.epochs;
    if (!last && now - this.#told < PLAIN_INTERVAL) return;
    this.#told = now;
    const { figure } = event.validation;
    const figures = [...at.figures, [`validation ${figure.name}`, figure.value] as const];
    this.say(progressText({ ...at, figures }, 200));
  }

  say(text: string): void {
    complain(text);
  }

  result(path: string): void {
    print(path);
  }

  end(): void {
    // Nothing is written again.
  }
}

/** Every event as a line of JSON on standard output; sentences go to standard error. */
class AsJson implements Told {
  take(event: TabularEvent): void {
    print(JSON.stringify(event));
  }

  say(text: string): void {
    complain(text);
  }

  result(path: string, score: Measures): void {
    print(JSON.stringify({ kind: "result", path, score }));
  }

  end(): void {
    // Nothing is written again.
  }
}

/** How a run tells of itself here. */
export function toldBy(log: "text" | "json"): Told {
  if (log === "json") return new AsJson();
  return isTerminal(process.stderr) ? new OnTerminal() : new AsLines();
}
