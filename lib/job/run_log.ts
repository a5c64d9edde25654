// The figures of a run as files: metrics.jsonl, and TensorBoard's events.
import { join } from "node:path";
import { codeOf } from "../errors.js";
import type { TabularEpochEvent } from "../index.js";
import { fileError, fileSystem } from "../io/file_system.js";
import { EventFile } from "../train/log/event_file.js";
import { today } from "../train/log/figures.js";
import { writeWhole } from "./files.js";

/** Writes down the epochs of a run, those of each member. */
export class RunLog {
  readonly #path: string;
  readonly #events: string;
  readonly #resumed: boolean;
  /** Members of which no lines of epochs that are done once more are left. */
  readonly #checked = new Set<number>();
  readonly #files = new Map<string, EventFile>();

  constructor(path: string, events: string, resumed: boolean) {
    this.#path = path;
    this.#events = events;
    this.#resumed = resumed;
  }

  async add(event: TabularEpochEvent): Promise<void> {
    const { member, members, epoch, step, loss, validation, seconds } = event;
    if (this.#resumed && !this.#checked.has(member)) await this.#cut(member, epoch);
    this.#checked.add(member);
    const figures = {
      "validation.loss": validation.loss,
      [`validation.${validation.figure.name}`]: validation.figure.value,
    };
    const line = {
      step,
      epoch,
      ...(members > 1 ? { member } : {}),
      time: today().toISOString(),
      seconds,
      loss,
      ...figures,
    };
    await fileSystem()
      .appendFile(this.#path, `${JSON.stringify(line)}\n`)
      .catch((cause: unknown) => {
        throw fileError(this.#path, "a file that can be written", cause);
      });
    const folder = members > 1 ? join(this.#events, `member-${member}`) : this.#events;
    await this.#fileOf(join(folder, "train")).add(step, [["loss", loss]]);
    await this.#fileOf(join(folder, "validation")).add(step, [
      ["loss", validation.loss],
      [validation.figure.name, validation.figure.value],
    ]);
  }

  #fileOf(folder: string): EventFile {
    const file = this.#files.get(folder) ?? new EventFile(folder, this.#resumed);
    this.#files.set(folder, file);
    return file;
  }

  /** Leaves the lines of other members, and of this one's epochs before this one. */
  async #cut(member: number, epoch: number): Promise<void> {
    const text = await fileSystem()
      .readFile(this.#path, "utf8")
      .catch((cause: unknown) => {
        if (codeOf(cause) === "ENOENT") return "";
        throw fileError(this.#path, "a file that can be read", cause);
      });
    const kept = text.split("\n").filter((line) => isKept(line, member, epoch));
    await writeWhole(this.#path, kept.map((line) => `${line}\n`).join(""));
  }
}

/** Whether a line stays; one that was cut off does not. */
function isKept(text: string, member: number, epoch: number): boolean {
  try {
    const line: unknown = JSON.parse(text);
    const [own, at]: readonly unknown[] = [
      Reflect.get(Object(line), "member") ?? 1,
      Reflect.get(Object(line), "epoch"),
    ];
    if (typeof own !== "number" || typeof at !== "number") return false;
    return own !== member || at < epoch;
  } catch {
    return false;
  }
}
