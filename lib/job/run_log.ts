// The figures of a run as files: metrics.jsonl, and TensorBoard's events.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../errors.js";
import type { TabularEpochEvent } from "../index.js";
import { fileError } from "../io/file_system.js";
import { EventFile } from "../train/log/event_file.js";
import { today } from "../train/log/figures.js";

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

  /** The line of an epoch, which is in the file as this returns: before a checkpoint that stands behind the epoch. `ERR_FILE`. */
  write({ member, members, epoch, step, loss, validation, seconds }: TabularEpochEvent): void {
    const line = {
      step,
      epoch,
      ...(members > 1 ? { member } : {}),
      time: today().toISOString(),
      seconds,
      loss,
      "validation.loss": validation.loss,
      [`validation.${validation.figure.name}`]: validation.figure.value,
    };
    try {
      if (this.#resumed && !this.#checked.has(member)) this.#cut(member, epoch);
      this.#checked.add(member);
      appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
    } catch (cause) {
      throw fileError(this.#path, "a file that can be written", cause);
    }
  }

  /** Its figures for TensorBoard; `ERR_FILE`. */
  async show({ member, members, step, loss, validation }: TabularEpochEvent): Promise<void> {
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
  #cut(member: number, epoch: number): void {
    const kept = linesIn(this.#path).filter((line) => isKept(line, member, epoch));
    const temporary = `${this.#path}.${process.pid}.part`;
    writeFileSync(temporary, kept.map((line) => `${line}\n`).join(""));
    renameSync(temporary, this.#path);
  }
}

/** Lines of a file; none where it is not there. */
function linesIn(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [];
    throw cause;
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
