// From a file to a model that takes raw rows, by the command as it is built.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { pathToFileURL } from "node:url";
import { loadTabular, table } from "carillon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { csvOf, customers } from "../../examples/churn/customers.js";
import { readJobFile } from "../../lib/job/job_file.js";
import { carillon, command, isBuilt, start } from "./carillon.js";

const cwd = mkdtempSync(join(tmpdir(), "carillon-train-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const read = (...path: string[]): string => readFileSync(join(cwd, ...path), "utf8");
const hashOf = (...path: string[]): string =>
  createHash("sha256")
    .update(readFileSync(join(cwd, ...path)))
    .digest("hex");
/** The bytes of the weights in a model's file, behind its header. */
function weightsOf(run: string): Buffer {
  const bytes = readFileSync(join(cwd, run, "model.safetensors"));
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)));
}

const jsonLines = (text: string): readonly Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const SMALL = ["--target", "churned", "--preset", "fast", "--hidden", "32,32", "--schema", "known.json"];

beforeAll(() => {
  const rows = customers(900);
  writeFileSync(join(cwd, "churn.csv"), csvOf(rows.slice(0, 600)));
  writeFileSync(join(cwd, "new.csv"), csvOf(rows.slice(600)));
  writeFileSync(join(cwd, "known.json"), '{ "columns": { "remark": "ignore" } }');
});

describe.runIf(isBuilt)("train", () => {
  let events: readonly Record<string, unknown>[] = [];

  beforeAll(() => {
    const { status, stdout, stderr } = carillon(["train", "churn.csv", ...SMALL, "--epochs", "40", "--log", "json"], {
      cwd,
    });
    expect(stderr).toContain("runs/churn-1 has report.html, model.safetensors");
    expect(status).toBe(0);
    events = jsonLines(stdout);
  }, 90_000);

  test("tells every event as JSON, and the score on rows that were held out", () => {
    const kinds = events.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "epoch").length).toBe(40);
    expect(kinds.slice(-2)).toEqual(["end", "result"]);
    const { score } = events.at(-1) as { readonly score: { readonly auc: number } };
    expect(score.auc).toBeGreaterThan(0.7); // of 120 rows; on new rows below
  });

  test("leaves a folder: model, job, schema, figures and TensorBoard's events, nothing half-written", async () => {
    expect(readdirSync(join(cwd, "runs/churn-1")).sort()).toEqual([
      ...[
        "events",
        "job.json",
        "metrics.jsonl",
        "model.safetensors",
        "report.html",
        "report.json",
        "report.md",
        "schema.json",
      ],
    ]);
    const { ran, ...job } = JSON.parse(read("runs/churn-1/job.json")) as { readonly ran: Record<string, unknown> };
    expect(await readJobFile(join(cwd, "runs/churn-1/job.json"))).toMatchObject({
      data: "churn.csv",
      target: "churned",
    });
    expect(job).toMatchObject({ preset: "fast", epochs: 40, hidden: [32, 32] });
    expect(ran).toMatchObject({ reason: "finished", sha256: hashOf("churn.csv"), rows: 600, members: 1 });
    expect(ran.score).toEqual(events.at(-1)?.score);
    const lines = jsonLines(read("runs/churn-1/metrics.jsonl"));
    const epochs = events.filter(({ kind }) => kind === "epoch");
    expect(lines.map(({ epoch, loss }) => [epoch, loss])).toEqual(epochs.map(({ epoch, loss }) => [epoch, loss]));
    expect(readdirSync(join(cwd, "runs/churn-1/events")).sort()).toEqual(["train", "validation"]);
  });

  test("leaves a report with the score and the command that makes the model again", () => {
    const { score } = events.at(-1) as { readonly score: Readonly<Record<string, number>> };
    const page = read("runs/churn-1/report.html");
    expect(page).toContain("npx carillon train --job runs/churn-1/job.json");
    expect(page).not.toMatch(/<(?:script|link|img)[^>]*(?:src|href)="https?:/);
    const facts = read("runs/churn-1/report.json");
    expect(facts).toContain(String(score.auc).slice(0, 6));
    expect(read("runs/churn-1/report.md")).toContain("churn-1");
  });

  test("the job that it has left gives the same model", () => {
    const { status, stderr } = carillon(["train", "--job", "runs/churn-1/job.json", "--name", "again", "--no-report"], {
      cwd,
    });
    expect(stderr).toContain("binary: 600 rows");
    expect(status).toBe(0);
    expect(hashOf("runs/again/model.safetensors")).toBe(hashOf("runs/churn-1/model.safetensors"));
    const { status: refused, stderr: why } = carillon(["train", "churn.csv", ...SMALL, "--name", "again"], { cwd });
    expect([refused, why]).toEqual([
      1,
      expect.stringContaining("'runs/again' is there. Go on with it by --resume runs/again"),
    ]);
  });

  test("predict writes what the model says, in another form and beside other columns, too", async () => {
    const model = await loadTabular(join(cwd, "runs/churn-1/model.safetensors"));
    const rows = customers(900).slice(600);
    const { labels, probabilities } = await model.predict(rows.map(({ churned: _, ...row }) => ({ ...row })));
    const { status, stdout, stderr } = carillon(["predict", "runs/churn-1", "new.csv", "--keep", "customer_id"], {
      cwd,
    });
    expect([status, stderr]).toEqual([0, ""]);
    const answers = await table(new TextEncoder().encode(stdout));
    expect(answers.names).toEqual(["customer_id", "churned", "churned=no", "churned=yes"]);
    const [ids, said, shares] = [
      answers.column("customer_id"),
      answers.column("churned"),
      answers.column("churned=yes"),
    ];
    if (ids.kind !== "number" || said.kind !== "text" || shares.kind !== "number") throw new Error("other kinds");
    expect([...ids.values]).toEqual(rows.map(({ customer_id }) => customer_id));
    expect(Array.from(said.codes, (code) => said.levels[code])).toEqual(labels);
    expect([...shares.values].map(Math.fround)).toEqual(rows.map((_, row) => probabilities?.data[2 * row + 1]));

    const input = read("new.csv");
    expect(carillon(["predict", "runs/churn-1", "-", "--out", "deep/answers.jsonl"], { cwd, input }).status).toBe(0);
    const [first] = jsonLines(read("deep/answers.jsonl"));
    expect(first).toEqual({
      churned: labels?.[0],
      "churned=no": expect.closeTo(probabilities?.data[0] ?? 0, 6),
      "churned=yes": expect.closeTo(probabilities?.data[1] ?? 0, 6),
    });
  });

  test("predict keeps a column beside the answer of its name, once, and answers to no rows with none", () => {
    const kept = ["predict", "runs/churn-1", "new.csv", "--keep", "churned", "--keep", "churned"];
    const csv = carillon(kept, { cwd });
    expect(csv.stdout.split("\n")[0]).toBe("churned,predicted churned,churned=no,churned=yes");
    const [first] = jsonLines(carillon([...kept, "--as", "jsonl"], { cwd }).stdout);
    expect(Object.keys(first ?? {})).toEqual(["churned", "predicted churned", "churned=no", "churned=yes"]);
    writeFileSync(join(cwd, "head.csv"), `${read("new.csv").split("\n")[0]}\n`);
    const none = carillon(["predict", "runs/churn-1", "head.csv", "new.csv"], { cwd });
    expect(
      none.stdout
        .split("\n")
        .slice(0, 2)
        .map((line) => line.split(",").length),
    ).toEqual([3, 3]);
    expect(none.stdout.trimEnd().split("\n").length).toBe(301);
    const empty = carillon(["predict", "runs/churn-1", "head.csv"], { cwd });
    expect([empty.status, empty.stdout]).toEqual([0, "churned,churned=no,churned=yes\n"]);
  }, 90_000);

  test("a target that is not there is named, and a model takes no options of tables", () => {
    const [head = "", ...lines] = read("new.csv").trimEnd().split("\n");
    const at = head.split(",").indexOf("churned");
    expect(at).toBe(head.split(",").length - 1);
    writeFileSync(join(cwd, "raw.csv"), [head, ...lines].map((line) => line.replace(/,[^,]*$/, "\n")).join(""));
    const evaluated = carillon(["evaluate", "runs/churn-1", "raw.csv"], { cwd });
    expect(evaluated.stderr).toBe(
      "carillon: expected the column 'churned' of the model in 'raw.csv' but it is not there\n",
    );
    writeFileSync(join(cwd, "head.csv"), `${head}\n`);
    const none = carillon(["evaluate", "runs/churn-1", "head.csv"], { cwd });
    expect([none.status, none.stderr]).toEqual([
      1,
      expect.stringContaining("a row or more for 'evaluate.source' but received 0"),
    ]);
    for (const out of ["answers.csv.gz", "answers.parquet", "answers.tsv"]) {
      const named = carillon(["predict", "runs/churn-1", "new.csv", "--out", out], { cwd });
      expect([named.status, named.stderr]).toEqual([2, expect.stringContaining("name it .csv or .jsonl")]);
      expect(existsSync(join(cwd, out))).toBe(false);
    }
    const inspected = carillon(["inspect", "runs/churn-1", "--out", "schema.json"], { cwd });
    expect([inspected.status, inspected.stderr]).toEqual([2, expect.stringContaining("of a model takes no '--out'")]);
  });

  test("predict, stopped while it waits for rows, leaves its file as it was and nothing beside it", async () => {
    const answers = join(cwd, "held", "answers.csv");
    mkdirSync(join(cwd, "held"));
    writeFileSync(answers, "as it was\n", { mode: 0o640 });
    const ended = await start(["predict", "runs/churn-1", "-", "--out", answers], cwd, () => undefined, {
      input: read("new.csv"),
      begun: (kill) => {
        const look = setInterval(() => {
          if (readdirSync(join(cwd, "held")).length === 1) return;
          clearInterval(look);
          kill("SIGINT");
        }, 20);
      },
    });
    expect(ended.status).toBe(130);
    expect(ended.stderr).toMatch(/^stopped after [\d,]+ rows?: '.*answers\.csv' is as it was$/m);
    expect(readdirSync(join(cwd, "held"))).toEqual(["answers.csv"]);
    expect(readFileSync(answers, "utf8")).toBe("as it was\n");
  });

  test("answers take the place of the file that a link leads to, and have its permissions", () => {
    const [file, link] = [join(cwd, "linked.csv"), join(cwd, "link.csv")];
    writeFileSync(file, "before\n", { mode: 0o640 });
    symlinkSync("linked.csv", link);
    expect(carillon(["predict", "runs/churn-1", "new.csv", "--out", "link.csv"], { cwd }).status).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readFileSync(file, "utf8")).toContain("\nyes,0.");
  });

  test("predict counts what training has not seen", () => {
    const input = read("new.csv").replaceAll(",basic,", ",gold,");
    const { status, stderr } = carillon(["predict", "runs/churn-1", "-"], { cwd, input });
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/^note: \d+ rows with a 'plan' that no training row had/),
    ]);
  });

  test("evaluate, compare and inspect have its figures", () => {
    const measured = carillon(["evaluate", "runs/churn-1", "new.csv", "--json"], { cwd });
    const { auc, accuracy } = JSON.parse(measured.stdout) as { readonly auc: number; readonly accuracy: number };
    expect(auc).toBeGreaterThan(0.75); // who knows the chances that these rows were made by has 0.87
    expect(accuracy).toBeGreaterThan(0.75);
    const compared = carillon(["compare"], { cwd });
    expect(compared.stdout).toMatch(
      /^churned of churn\.csv [0-9a-f]{12}\nrun .* auc .*\nruns\/again .*\nruns\/churn-1 /,
    );
    const shown = carillon(["inspect", "runs/churn-1"], { cwd });
    expect(shown.stdout).toContain("churned (binary: no, yes)");
    expect(shown.stdout).toContain("since (date), plan (category), zip (category), minutes (number)");
  });

  test("plain lines where there is no terminal", () => {
    const { stderr, stdout, status } = carillon(
      ["train", "churn.csv", ...SMALL, "--epochs", "3", "--name", "plain", "--no-report"],
      {
        cwd,
      },
    );
    expect([status, stdout]).toEqual([0, "runs/plain\n"]);
    expect(stderr).not.toContain("\u001b");
    expect(stderr).toMatch(/^binary: 600 rows, [\d,]+ weights, 3 epochs\nwarning: 'customer_id'/);
    expect(stderr).toMatch(/\nepoch 3\/3 {2}100% {2}loss [\d.]+ {2}validation accuracy [\d.]+/);
    expect(stderr).toContain("answers to rows: npx carillon predict runs/plain FILE\n");
  });
});

describe.runIf(isBuilt)("a run that is broken off", () => {
  const long = ["train", "churn.csv", ...SMALL, "--no-report", "--epochs", "1200", "--seed", "3"];

  test("by Ctrl-C saves and says how to go on; then it ends with the bits of one that was not", async () => {
    const whole = carillon([...long, "--name", "whole"], { cwd });
    expect(whole.status).toBe(0);
    let sent = false;
    const cut = await start([...long, "--name", "cut"], cwd, (all, kill) => {
      if (!sent && /epoch \d+\/1200/.test(all)) kill("SIGINT");
      sent ||= /epoch \d+\/1200/.test(all);
    });
    expect(cut.status).toBe(130);
    expect(cut.stderr).toContain("stopped; it goes on with: npx carillon train --resume runs/cut\n");
    expect(existsSync(join(cwd, "runs/cut/checkpoints"))).toBe(true);
    const resumed = carillon(["train", "--resume", "runs/cut", "--no-report"], { cwd });
    expect(resumed.stderr).toContain("runs/cut has model.safetensors");
    expect(resumed.status).toBe(0);
    expect(weightsOf("runs/cut").equals(weightsOf("runs/whole"))).toBe(true);
    const epochsOf = (name: string): unknown[] =>
      jsonLines(read("runs", name, "metrics.jsonl")).map(({ epoch, loss }) => [epoch, loss]);
    expect(epochsOf("cut")).toEqual(epochsOf("whole"));
    expect(existsSync(join(cwd, "runs/cut/checkpoints"))).toBe(false);
    const again = carillon(["train", "--resume", "runs/cut"], { cwd });
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("'runs/cut' is finished")]);
  }, 90_000);

  test("over a source that is larger than its memory, by Ctrl-C and by a kill, goes on to the same bits", async () => {
    const temporary = join(cwd, "temporary");
    mkdirSync(temporary);
    const asked = ["train", "churn.csv", ...SMALL, "--memory", "0", "--epochs", "60", "--seed", "3"];
    const env = { TMPDIR: temporary };
    const whole = carillon([...asked, "--name", "streamed"], { cwd, env });
    expect([whole.status, whole.stderr]).toEqual([0, expect.stringContaining("runs/streamed has report.html")]);
    expect(JSON.parse(read("runs/streamed/job.json"))).toMatchObject({ memory: 0, ran: { reason: "finished" } });
    expect(JSON.parse(read("runs/streamed/report.json"))).toMatchObject({ rows: { all: 600 } });
    for (const signal of ["SIGINT", "SIGKILL"] as const) {
      const name = `streamed-${signal}`;
      let sent = false;
      const cut = await start(
        [...asked, "--log", "json", "--name", name],
        cwd,
        (all, kill) => {
          if (!sent && all.includes('"epoch":20,')) kill(signal);
          sent ||= all.includes('"epoch":20,');
        },
        { env },
      );
      expect([cut.status, readdirSync(temporary).length]).toEqual(signal === "SIGINT" ? [130, 0] : [null, 1]);
      const again = carillon(["train", "--resume", `runs/${name}`, "--no-report"], { cwd, env });
      expect([again.status, again.stderr]).toEqual([0, expect.stringContaining("has model.safetensors")]);
      expect(weightsOf(`runs/${name}`).equals(weightsOf("runs/streamed"))).toBe(true);
    }
    expect(readdirSync(temporary)).toEqual([]);
  }, 90_000);

  test("by a kill right behind a checkpoint, on a slow disk, has the line of each epoch before it", () => {
    // The process ends with its second checkpoint's name.
    const killer = `import files from "node:fs/promises";
      const { appendFile, rename } = files;
      let checkpoints = 0;
      files.appendFile = async (...given) => { await new Promise((done) => setTimeout(done, 200)); await appendFile(...given); };
      files.rename = async (from, to) => {
        await rename(from, to);
        if (/step-\\d+\\.safetensors$/.test(to) && ++checkpoints === 2) process.kill(process.pid, "SIGKILL");
      };`;
    writeFileSync(join(cwd, "killer.mjs"), killer);
    const env = { NODE_OPTIONS: `--import ${pathToFileURL(join(cwd, "killer.mjs")).href}` };
    expect(carillon([...long, "--name", "killed"], { cwd, env }).status).toBe(null);
    const lines = jsonLines(read("runs/killed/metrics.jsonl"));
    const [newest = ""] = readdirSync(join(cwd, "runs/killed/checkpoints/member-1"))
      .filter((name) => /^step/.test(name))
      .sort()
      .reverse();
    expect(lines.map(({ epoch }) => epoch)).toEqual(lines.map((_, at) => at + 1));
    expect(lines.at(-1)?.step).toBeGreaterThanOrEqual(Number(/\d+/.exec(newest)?.[0]));
    expect(lines.length).toBeGreaterThanOrEqual(32);
  }, 90_000);

  test("takes no option that it would not heed", () => {
    const { status, stderr } = carillon(["train", "--resume", "runs/cut", "--epochs", "9"], { cwd });
    expect([status, stderr]).toEqual([2, expect.stringContaining("takes the job of the run and no '--epochs'")]);
  });

  test("does not go on with other data", () => {
    writeFileSync(join(cwd, "moving.csv"), read("churn.csv"));
    mkdirSync(join(cwd, "runs/moved"), { recursive: true });
    const job = { data: "moving.csv", target: "churned", ran: { reason: "broken off", sha256: "0" } };
    writeFileSync(join(cwd, "runs/moved/job.json"), JSON.stringify(job));
    const { status, stderr } = carillon(["train", "--resume", "runs/moved"], { cwd });
    expect([status, stderr]).toEqual([1, expect.stringContaining("its files have other bytes than at the beginning")]);
  });
});

describe.runIf(isBuilt)("wrong input is one sentence, an exit code, and nothing half-written", () => {
  const folder = mkdtempSync(join(tmpdir(), "carillon-wrong-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(() => {
    const text = csvOf(customers(60));
    writeFileSync(join(folder, "churn.csv"), text);
    writeFileSync(join(folder, "ragged.csv"), `${text}1,2\n`);
    writeFileSync(join(folder, "one.csv"), text.replaceAll(/,yes\n/g, ",no\n"));
    writeFileSync(join(folder, "empty.csv"), text.replaceAll(/,(?:yes|no)\n/g, ",\n"));
    writeFileSync(join(folder, "short.csv"), text.split("\n").slice(0, 2).join("\n"));
    writeFileSync(join(folder, "job.yaml"), "data: churn.csv\ntarget: churned\nepoch: 3\n");
  });

  test.each([
    [["train", "churn.csv"], 2, "--target COLUMN"],
    [["train", "--target", "a"], 2, "wants a table"],
    [["train", "absent.csv", "--target", "churned"], 1, "absent.csv"],
    [["train", ".", "--target", "churned"], 1, "'.'"],
    [["train", "churn.csv", "--target", "chrned"], 1, "Did you mean 'churned'?"],
    [["train", "churn.csv", "--target", "customer_id", "--epochs", "1"], 1, "customer_id"],
    [["train", "ragged.csv", "--target", "churned"], 1, "ragged.csv, line 62"],
    [["train", "one.csv", "--target", "churned"], 1, "churned"],
    [["train", "empty.csv", "--target", "churned"], 1, "churned"],
    [["train", "short.csv", "--target", "churned"], 1, "churned"],
    [
      ["train", "job.yaml"],
      1,
      "job.yaml, line 3, column 1: expected a known option for 'job' but received 'epoch'. Did you mean 'epochs'?",
    ],
    [
      ["train", "churn.csv", "--target", "churned", "--epochs", "0"],
      2,
      "expected an integer in [1, 1000000] for '--epochs' but received 0",
    ],
    [["train", "churn.csv", "--target", "churned", "--preset", "quick"], 2, "'fast', 'auto' or 'best' for '--preset'"],
    [["train", "churn.csv", "--target", "churned", "--name", "a/b"], 2, "for '--name'"],
    [
      ["train", "churn.csv", "--target", "churned", "--runs", "churn.csv"],
      1,
      "a folder that can be made for 'churn.csv'",
    ],
    [["train", "--resume", "absent"], 1, "the folder of a run for 'absent'"],
    [["predict", "absent", "churn.csv"], 1, "a model, or the folder of a run"],
    [["predict", "churn.csv", "churn.csv"], 1, "churn.csv"],
    [["evaluate", ".", "churn.csv"], 1, "'.' has no model.safetensors"],
    [["compare", "absent"], 1, "absent"],
    [["predict", "churn.csv"], 2, "wants a file"],
  ])("%j", (args, status, message) => {
    const ended = carillon(args, { cwd: folder });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr.split("\n\n")[0]?.trimEnd().split("\n")).toEqual([expect.stringMatching(/^carillon: /)]);
    expect(ended.status).toBe(status);
    expect(ended.stdout).toBe("");
    expect(readdirSync(folder).sort()).toEqual([
      ...["churn.csv", "empty.csv", "job.yaml", "one.csv", "ragged.csv", "short.csv"],
    ]);
  });
});

describe.runIf(isBuilt && process.platform === "linux")("what cannot be written", () => {
  /** Runs the command with what a shell does before it and behind it. */
  const shell = (text: string) =>
    spawnSync("bash", ["-c", text.replaceAll("carillon", `'${execPath}' '${command}'`)], { encoding: "utf8", cwd });
  const tiny = ["train", "churn.csv", ...SMALL, "--hidden", "4", "--epochs", "3"].join(" ");

  test("a report that finds no place leaves the model of its run", () => {
    const { status, stderr } = shell(`ulimit -f 40; exec carillon ${tiny} --name full`);
    expect(stderr).toMatch(
      /\nruns\/full has the model\ncarillon: expected .*report\.html' but received EFBIG: file too large, write\n$/,
    );
    expect(status).toBe(1);
    expect(readdirSync(join(cwd, "runs/full"))).toContain("model.safetensors");
    expect(carillon(["predict", "runs/full", "new.csv"], { cwd }).status).toBe(0);
  }, 90_000);

  test("of a run, or a search, that finds no place for its first file nothing is left", () => {
    for (const [name, asked] of [
      ["none", tiny],
      ["sought", tiny.replace("train", "search")],
    ] as const) {
      const { status, stderr } = shell(`ulimit -f 0; exec carillon ${asked} --name ${name}`);
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^carillon: expected a file that can be written.*\n$/),
      ]);
      expect(existsSync(join(cwd, "runs", name))).toBe(false);
    }
  });

  test("standard output on a full disk is one sentence; training goes on where nobody reads what it says", () => {
    const full = shell("exec carillon inspect churn.csv >/dev/full");
    expect([full.status, full.stderr]).toEqual([
      1,
      "carillon: expected standard output that can be written but received ENOSPC: no space left on device, write\n",
    ]);
    const unread = shell(
      `carillon ${tiny} --no-report --log json --name unread 2>&1 | head -1; exit \${PIPESTATUS[0]}`,
    );
    expect([unread.status, unread.stdout.split("\n").length]).toEqual([0, 2]);
    expect(readdirSync(join(cwd, "runs/unread"))).toContain("model.safetensors");
  }, 90_000);
});

describe.runIf(isBuilt && process.platform === "linux")("a table in a pipe", () => {
  test("that has a path is read once, and cannot be gone on with", () => {
    const text = `'${execPath}' '${command}' train <(cat churn.csv) ${SMALL.join(" ")} --hidden 4 --epochs 3 --name piped`;
    const { status, stderr } = spawnSync("bash", ["-c", text], { encoding: "utf8", cwd });
    expect(stderr).toContain("runs/piped has report.html");
    expect(status).toBe(0);
    const { ran } = JSON.parse(read("runs/piped/job.json")) as { readonly ran: object };
    expect(ran).toMatchObject({ rows: 600, sha256: null });
    for (const name of ["train", "search"]) {
      const file = join(cwd, "runs/piped", name === "train" ? "job.json" : "search.json");
      writeFileSync(file, JSON.stringify({ data: "-", target: "churned", ran: { trials: 1, sha256: null } }));
      const again = carillon([name, "--resume", "runs/piped"], { cwd, input: read("churn.csv") });
      expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("cannot be read again")]);
    }
  }, 90_000);
});
