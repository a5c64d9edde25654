import { Command, CommanderError, InvalidArgumentError } from "commander";
import { codeOf, isError, messageOf } from "../errors.js";
import { nearest } from "../words.js";
import type { InspectFlags } from "./flags.js";
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

/** One of several values of an option that may stand more than once. */
const collect = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), text];

/** How a table is read. */
function withReading(command: Command): Command {
  return command
    .option("--format <format>", "csv, tsv, jsonl, parquet, npy or npz, where the name does not tell it")
    .option("--delimiter <character>", "what stands between values")
    .option("--decimal <character>", "what fractions begin with: . or ,")
    .option("--encoding <name>", "utf-8, latin1 or utf-16le")
    .option("--no-header", "the first row has no names")
    .option("--rows <number>", "rows to read, from the first on", number);
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
    .argument("<file...>", "tables, patterns of them, '-' for standard input; or a model, or the folder of a run")
    .option("--target <column>", "the column that is to be predicted; several: once each", collect)
    .option("--schema <file>", "what is known of the columns")
    .option("--out <file>", "writes the schema, to be edited and given to train by --schema")
    .option("--json", "everything as JSON")
    .action(async (files: readonly string[], flags: InspectFlags) => {
      const { inspect } = await import("./inspect.js");
      settle(await inspect(files, flags));
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

/** The `carillon` command; its exit status: 0, 1 where something is wrong, 2 for arguments that make no sense, 130 after Ctrl-C. */
export async function runCommand(args: readonly string[]): Promise<Status> {
  try {
    return await run(args);
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
