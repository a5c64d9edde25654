import { parseArgs } from "node:util";
import { CarillonError, codeOf, isError } from "../errors.js";
import { nearest } from "../words.js";
import { packageVersion } from "./package.js";

const USAGE = `usage: carillon COMMAND

  doctor [--json]                what Carillon finds on this machine, and whether it computes what it should
  build [--out FILE] [--verbose] compiles the native binary from the source in the package
  --version, --help`;

/** Arguments that make no sense. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

const OPTIONS = {
  json: { type: "boolean" },
  out: { type: "string" },
  verbose: { type: "boolean" },
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** The options that each command takes, besides these that stand alone. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = { doctor: ["json"], build: ["out", "verbose"] };
const ALONE = ["version", "help"];

/** The nearest of the known names, or all of them. */
function meant(name: string, known: readonly string[], quote: (one: string) => string): string {
  const near = nearest(name, known);
  return near === undefined ? `Known: ${known.map(quote).join(", ")}` : `Did you mean ${quote(near)}?`;
}

const quoted = (name: string): string => `'${name}'`;
const asOption = (name: string): string => `'--${name}'`;

/** The first argument that is no option, or its value; before anything is checked. */
function commandOf(args: readonly string[]): string | undefined {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: false }).positionals[0];
}

/** Throws for a command or an option that is not there. */
function checkNames(command: string | undefined, args: readonly string[]): void {
  const commands = Object.keys(COMMANDS);
  if (command !== undefined && !commands.includes(command)) {
    throw new UsageError(`there is no command '${command}'. ${meant(command, commands, quoted)}`);
  }
  const own = command === undefined ? [] : (COMMANDS[command] ?? []);
  const known = [...own, ...ALONE];
  const { tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== "option" || known.includes(token.name)) continue;
    const taker = command === undefined ? "carillon" : `carillon ${command}`;
    throw new UsageError(`'${taker}' takes no '${token.rawName}'. ${meant(token.name, known, asOption)}`);
  }
}

function parse(args: readonly string[]) {
  const command = commandOf(args);
  checkNames(command, args);
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.help || values.version) return { command: undefined, values };
    if (command === undefined) throw new UsageError("a command is wanted");
    const [, more] = positionals;
    if (more !== undefined) throw new UsageError(`'carillon ${command}' takes no '${more}'`);
    return { command, values };
  } catch (error) {
    if (isError(error) && String(codeOf(error)).startsWith("ERR_PARSE_ARGS")) {
      throw new UsageError(error.message);
    }
    throw error;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function run(args: readonly string[]): Promise<number> {
  const { command, values } = parse(args);
  switch (command) {
    case "doctor": {
      const { examine, reportText } = await import("./doctor.js");
      const report = examine();
      print(values.json === true ? JSON.stringify(report, null, 2) : reportText(report));
      return report.problems.length === 0 ? 0 : 1;
    }
    case "build": {
      const { buildBinary } = await import("./build.js");
      return buildBinary({ out: values.out, verbose: values.verbose === true, print, complain });
    }
    default:
      print(values.version === true ? packageVersion() : USAGE);
      return 0;
  }
}

/** The `carillon` command; its exit status: 0, 1 where something is wrong, 2 for arguments that make no sense. */
export async function runCommand(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`carillon: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    if (!(error instanceof CarillonError)) throw error;
    complain(`carillon: ${error.message}`);
    return 1;
  }
}
