import { Command, CommanderError, InvalidArgumentError } from "commander";
import { codeOf, isError, messageOf } from "../errors.js";
import { nearest } from "../words.js";
import type { ConvertFlags } from "./convert.js";
import type { EvaluateFlags, InspectFlags, PredictFlags, SearchFlags, TrainFlags } from "./flags.js";
import { packageVersion } from "./package.js";
import { complain, print, type Status, UsageError } from "./terms.js";

/** The nearest of the known names, or all of them. */
function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? `Known: ${known.map((one) => `'${one}'`).join(", ")}` : `Did you mean '${near}'?`;
}

/** What an error of the parser says, in our words. */
function sentenceOf(command: Command, error: CommanderError): string {
  const called = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
  const [, name = ""] = /'([^']*)'/.exec(error.message) ?? [];
  switch (error.code) {
    case "commander.unknownOption": {
      const known = [...command.options.map(({ long, short }) => long ?? short ?? ""), "--version", "--help"];
      const [bare = ""] = name.split("=");
      if (known.includes(bare)) return `'${called}' takes '${bare}' without a value`;
      return `'${called}' takes no '${bare}'. ${meant(bare, [...new Set(known)])}`;
    }
    case "commander.excessArguments":
      return `'${called}' takes no '${command.args.at(-1) ?? name}'`;
    case "commander.missingArgument":
      return `'${called}' wants a ${name}`;
    case "commander.invalidArgument": {
      const [, option = "", given = ""] =
        /^error: option '(--[\w-]+)[^']*' argument '(.*)' is invalid/s.exec(error.message) ?? [];
      return `expected a number for '${option}' but received '${given}'`;
    }
    default:
      return error.message.replace(/^error: /, "").replace(/\n.*/s, "");
  }
}

/** A command whose mistakes are ours. */
function ours(command: Command): Command {
  return command
    .helpOption("-h, --help", "what it takes")
    .helpCommand(false)
    .allowExcessArguments(false)
    .configureOutput({
      writeErr: () => undefined,
      outputError: () => undefined,
      writeOut: (text) => process.stdout.write(text),
    })
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      throw new UsageError(sentenceOf(command, error), usageOf(command));
    });
}

function usageOf(command: Command): string {
  const path = command.parent === null ? command.name() : `${command.parent.name()} ${command.name()}`;
  return `usage: ${path} ${command.usage()}\n       ${path} --help says what each means`;
}

/** A number of the command line; which ones a job may have is said where it is checked. */
function number(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError("expected a number");
  return value;
}

const numbers = (text: string): readonly number[] => text.split(",").map(number);

/** Refuses what a run that goes on would not heed, as its job says everything. */
function checkResume(command: Command, files: readonly string[], heeded: readonly string[]): void {
  const asked = command.options.filter((one) => command.getOptionValueSource(one.attributeName()) === "cli");
  const beside = [...files, ...asked.filter((one) => !heeded.includes(one.attributeName())).map(({ long }) => long)];
  if (beside[0] === undefined) return;
  const what = command.name() === "search" ? "search" : "run";
  throw new UsageError(
    `'carillon ${command.name()} --resume' takes the job of the ${what} and no '${beside[0]}': leave it out, or begin another ${what}`,
  );
}

/** One of several values of an option that may stand more than once. */
const collect = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), text];

/** How a table is read. */
function withReading(command: Command): Command {
  return command
    .option("--sql <query>", "a query in the place of files")
    .option("--from <database>", "of the query: postgres://user@host/database, a file of SQLite or DuckDB, duckdb:")
    .option("--format <format>", "csv, tsv, jsonl, parquet, arrow, npy or npz, where the name does not tell it")
    .option("--delimiter <character>", "what stands between values")
    .option("--decimal <character>", "what fractions begin with: . or ,")
    .option("--encoding <name>", "utf-8, latin1 or utf-16le")
    .option("--no-header", "the first row has no names")
    .option("--rows <number>", "rows to read, from the first on", number);
}

/** What is trained, and how. */
function withJob(command: Command): Command {
  return withReading(command)
    .argument("[file...]", "tables, patterns of them, '-' for standard input; or a job in YAML")
    .option("--target <column>", "the column that is to be predicted; several: once each", collect)
    .option("--job <file>", "a job in YAML or JSON; options beside it go before what it says")
    .option("--schema <file>", "what columns are: as inspect --out writes it; those that it leaves out are guessed")
    .option("--preset <name>", "fast, auto (the default) or best")
    .option("--epochs <number>", "times that all training rows are seen", number)
    .option("--batch-size <number>", "rows a step", number)
    .option("--folds <number>", "members, each trained without one of so many parts of the rows", number)
    .option("--minutes <number>", "minutes that training may take", number)
    .option("--memory <number>", "megabytes up to which the data is held as one table; 64 by default", number)
    .option("--seed <number>", "0 by default; the same seed gives the same model", number)
    .option("--threads <number>", "threads, at most; the model does not depend on it", number)
    .option("--metric <name>", "what the best epoch is chosen by: accuracy, logLoss, auc or rmse")
    .option("--lr <number>", "learning rate at its peaks", number)
    .option("--dropout <share>", "share of hidden units that are dropped in training", number)
    .option("--hidden <numbers>", "units of the hidden layers: 256,256,256", numbers)
    .option("--name <name>", "of the run, and of its folder; by default that of the file with a number")
    .option("--runs <folder>", "the folder of runs; 'runs' by default");
}

function program(settle: (status: Status) => void): Command {
  const all = ours(new Command("carillon"));
  all.usage("COMMAND").description("From a table to a model that takes raw rows; and what an installation is like.");
  const add = (name: string, text: string): Command => {
    const command = ours(new Command(name)).description(text);
    all.addCommand(command);
    return command;
  };
  withReading(add("inspect", "what a table holds and why, or what a model does"))
    .argument("[file...]", "tables, patterns of them, '-' for standard input; or a model, or the folder of a run")
    .option("--target <column>", "the column that is to be predicted; several: once each", collect)
    .option("--schema <file>", "what is known of the columns")
    .option("--out <file>", "writes the schema, to be edited and given to train by --schema")
    .option("--json", "everything as JSON")
    .action(async (files: readonly string[], flags: InspectFlags) => {
      const { inspect } = await import("./inspect.js");
      settle(await inspect(files, flags));
    });
  withJob(add("train", "trains a model that takes raw rows, and writes it to runs/NAME"))
    .option("--resume <folder>", "goes on with a run that was broken off")
    .option("--watch [port]", "a live page on this machine alone: http://127.0.0.1:PORT")
    .option("--no-report", "writes no report.html, .md and .json, which say why the model may be trusted")
    .option("--log <form>", "text, or json: every event as a line of JSON on standard output", "text")
    .action(async (files: readonly string[], flags: TrainFlags, command: Command) => {
      const { checkLog, jobOfFlags, portOf } = await import("./flags.js");
      const watch = portOf(flags.watch);
      const log = checkLog(flags.log);
      const { resume } = flags;
      if (resume !== undefined) checkResume(command, files, ["resume", "watch", "report", "log"]);
      const job = resume === undefined ? await jobOfFlags("train", files, flags) : undefined;
      const { train } = await import("./train.js");
      settle(await train(job, { log, resume, watch, report: flags.report }));
    });
  withJob(add("search", "tries jobs drawn at random, and goes on with the better ones: random, then halving"))
    .option("--trials <number>", "jobs that are tried at first; 27 by default", number)
    .option("--jobs <number>", "jobs that are trained at once; 2 by default", number)
    .option("--resume <folder>", "goes on with a search that was broken off")
    .action(async (files: readonly string[], flags: SearchFlags, command: Command) => {
      const { jobOfFlags } = await import("./flags.js");
      const { resume, trials, jobs, ...others } = flags;
      if (resume !== undefined) checkResume(command, files, ["resume", "jobs"]);
      const settings = { ...others, log: "text", report: false };
      const job = resume === undefined ? await jobOfFlags("search", files, settings) : undefined;
      const { search } = await import("./search.js");
      settle(await search(job, { resume, trials, jobs }));
    });
  withReading(add("predict", "answers to the rows of tables"))
    .argument("<model>", "the folder of a run, or a model")
    .argument("[file...]", "tables, patterns of them, '-' for standard input")
    .option("--out <file>", "where answers go; to standard output by default")
    .option("--as <form>", "csv or jsonl; by default what the name of --out says, or csv")
    .option("--keep <column>", "a column of the table that is written before the answers; several: once each", collect)
    .action(async (model: string, files: readonly string[], flags: PredictFlags) => {
      const { predict } = await import("./predict.js");
      settle(await predict(model, files, flags));
    });
  withReading(add("evaluate", "how good a model's answers are to rows whose target is known"))
    .argument("<model>", "the folder of a run, or a model")
    .argument("[file...]", "tables, patterns of them, '-' for standard input")
    .option("--json", "the figures as JSON")
    .action(async (model: string, files: readonly string[], flags: EvaluateFlags) => {
      const { evaluate } = await import("./evaluate.js");
      settle(await evaluate(model, files, flags));
    });
  add("compare", "puts runs side by side, the best first")
    .argument("[run...]", "folders of runs, or folders of such; 'runs' by default")
    .option("--json", "everything as JSON")
    .action(async (runs: readonly string[], { json }: { readonly json?: boolean }) => {
      const { compare } = await import("./compare.js");
      settle(await compare(runs, json === true));
    });
  add("convert", "writes a model or weights of another framework as another file, by its ending")
    .argument(
      "<from>",
      "a model: .safetensors, .keras, model.json of TensorFlow.js, JSON of layers; or weights: .pt, .safetensors, .npz, .h5",
    )
    .argument("<to>", "a path that ends in .safetensors, .weights.h5, .npz or .json")
    .option("--model <file>", "a model that takes the weights over")
    .option("--map <file>", "names of layers there, as JSON by those here; or 'order'")
    .option("--key <key>", "where the state dict stands in a .pt")
    .option("--names <names>", "of written tensors: carillon (the default) or pytorch")
    .option("--input <sizes>", "of a row, where a model leaves some open: 20,8", numbers)
    .action(async (from: string, to: string, flags: ConvertFlags) => {
      const { convert } = await import("./convert.js");
      settle(await convert(from, to, flags));
    });
  add("doctor", "what Carillon finds on this machine, and whether it computes what it should")
    .option("--json", "the report as JSON")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { examine, reportText } = await import("./doctor.js");
      const report = examine();
      print(json === true ? JSON.stringify(report, null, 2) : reportText(report));
      settle(report.problems.length === 0 ? 0 : 1);
    });
  add("build", "compiles the native binary from the source in the package")
    .option("--out <file>", "where it goes; into the package by default")
    .option("--verbose", "shows what CMake and the compiler say")
    .action(async ({ out, verbose }: { readonly out?: string; readonly verbose?: boolean }) => {
      const { buildBinary } = await import("./build.js");
      settle(buildBinary({ out, verbose: verbose === true, print, complain }) === 0 ? 0 : 1);
    });
  return all;
}

/** Throws for a command that is not there, before anything else is looked at. */
function checkCommand(args: readonly string[], all: Command): void {
  const commands = all.commands.map((one) => one.name());
  const [first] = args;
  if (first === undefined) throw new UsageError("a command is wanted", all.helpInformation().trimEnd());
  if (first.startsWith("-") || commands.includes(first)) return;
  throw new UsageError(`there is no command '${first}'. ${meant(first, commands)}`, usageOf(all));
}

async function run(args: readonly string[]): Promise<Status> {
  const end = args.indexOf("--");
  if ((end < 0 ? args : args.slice(0, end)).includes("--version")) {
    print(packageVersion());
    return 0;
  }
  let status: Status = 0;
  const all = program((given) => {
    status = given;
  });
  checkCommand(args, all);
  try {
    await all.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
  return status;
}

/** Commands whose work is files: it goes on where nobody reads what they print. */
const LEAVE_FILES = ["train", "search"];

/** Heeds what is printed and goes nowhere: quietly where whoever reads it has had enough, as `head` has; otherwise it is told, and `failed` says so. */
function heedOutput(goesOn: boolean): { readonly failed: boolean } {
  const output = { failed: false };
  const refuse = (error: Error): void => {
    const isQuiet = codeOf(error) === "EPIPE";
    if (!(isQuiet || output.failed)) {
      output.failed = true;
      process.exitCode = 1;
      complain(`carillon: expected standard output that can be written but received ${messageOf(error)}`);
    }
    if (!goesOn) process.exit(isQuiet ? 0 : 1);
  };
  process.stdout.on("error", refuse);
  process.stderr.on("error", () => undefined); // there is nowhere else to say it
  return output;
}

/** The `carillon` command; its exit status: 0, 1 where something is wrong, 2 for arguments that make no sense, 130 after Ctrl-C. */
export async function runCommand(args: readonly string[]): Promise<Status> {
  const output = heedOutput(LEAVE_FILES.includes(args[0] ?? ""));
  try {
    const status = await run(args);
    return output.failed ? 1 : status;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`carillon: ${error.message}\n\n${error.usage}`);
      return 2;
    }
    // Errors of ours may be of the library's copy of their class.
    if (!(isError(error) && error.name === "CarillonError" && String(codeOf(error)).startsWith("ERR_"))) throw error;
    complain(`carillon: ${messageOf(error)}`);
    return 1;
  }
}
