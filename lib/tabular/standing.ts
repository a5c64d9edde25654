// How far a run of an estimator is, for its line of progress.
import { countText } from "../counts.js";
import type { Standing } from "../train/progress/line.js";
import type { TabularEvent } from "./events.js";

const STAGES = { reading: "reading", schema: "looking at columns", preparing: "preparing" } as const;

/** Makes of the events of a run, one after another, what its line says. */
export class TabularStanding {
  #state: Standing | string = STAGES.reading;
  #figures: Standing["figures"] = [];
  #rowsPerSecond: number | undefined;

  get state(): Standing | string {
    return this.#state;
  }

  take(event: TabularEvent): void {
    switch (event.kind) {
      case "stage":
        this.#state =
          event.rows === undefined ? STAGES[event.stage] : `${STAGES[event.stage]}  ${countText(event.rows, "row")}`;
        return;
      case "step":
        this.#rowsPerSecond = event.rowsPerSecond;
        this.#stand(event);
        return;
      case "epoch": {
        const { name, value } = event.validation.figure;
        this.#figures = [
          [name, value],
          ["best", event.best.value],
          ["loss", event.loss],
        ];
        this.#stand(event);
        return;
      }
      case "end":
        this.#figures = Object.entries(event.score);
        return;
      default:
    }
  }

  /** Figures of the rows that were held out, once the run is over. */
  get figures(): Standing["figures"] {
    return this.#figures;
  }

  #stand({
    member,
    members,
    epoch,
    epochs,
    seconds,
    secondsLeft,
  }: Extract<TabularEvent, { kind: "step" | "epoch" }>): void {
    const of = members === 1 ? "" : `member ${member}/${members}  `;
    const all = seconds + secondsLeft;
    this.#state = {
      place: `${of}epoch ${epoch}/${epochs}`,
      done: Number.isFinite(all) && all > 0 ? seconds / all : undefined,
      figures: this.#figures,
      rowsPerSecond: this.#rowsPerSecond,
      secondsLeft,
    };
  }
}
