// A model behind node:http:  npm run example:serving -- [--port 8080] [--model FILE] [--weights f32|bf16|int8]
//
// SIGTERM and SIGINT end it when all who asked are answered; SIGHUP, or another model in the file, lets it load that. With --load it
// asks itself: [--rate 8000] [--seconds 10] [--connections 16] requests a second from another process, alone and beside a training
// in the background; [--beside onnxruntime] the same with onnxruntime-node, which CARILLON_PEERS_NODE has. --quick: a short form.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { carillon, onnxruntime } from "./engines.js";
import { generateLoad, type LoadResult } from "./load.js";
import { INPUTS, provide, type Training, train } from "./model.js";
import { serve } from "./server.js";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8080" },
    model: { type: "string" },
    weights: { type: "string", default: "f32" },
    out: { type: "string", default: "runs/serving" },
    load: { type: "boolean", default: false },
    rate: { type: "string" },
    seconds: { type: "string" },
    connections: { type: "string", default: "16" },
    beside: { type: "string" },
    quick: { type: "boolean", default: false },
    role: { type: "string" },
  },
});
const file = values.model ?? join(values.out, "customers.safetensors");
const self = fileURLToPath(import.meta.url);

const FORMS = ["f32", "bf16", "int8"] as const;

/** The server of this process, until a signal ends it. */
async function serveHere(port: number, engine: string): Promise<void> {
  const weights = FORMS.find((form) => form === values.weights) ?? "f32";
  const load = engine === "onnxruntime" ? onnxruntime(1) : carillon(weights);
  await provide(file, values.quick ? 1 : 4);
  const server = await serve({ port, file, load, say: (text) => console.log(text) });
  process.send?.(server.port);
  if (process.send === undefined)
    console.log(`http://127.0.0.1:${server.port}/predict takes rows of ${INPUTS} numbers`);
  let training: Training | undefined;
  process.on("message", (message) => {
    if (message === "cpu") process.send?.(process.cpuUsage());
    if (message === "train") training = train(1_000_000, 2);
  });
  const end = async (): Promise<void> => {
    training?.run.stop();
    await server.close();
    if (process.connected) process.disconnect();
    await training?.run;
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  process.on("SIGHUP", server.reload);
}

async function reply<T>(child: ChildProcess): Promise<T> {
  const [message] = (await once(child, "message")) as [T]; // our own processes
  return message;
}

interface Measured extends LoadResult {
  /** Of one core, of the server's process. */
  readonly cpu: number;
  /** Of that, in predictions. */
  readonly predicting: number;
}

/** Figures of /metrics by name. */
async function metricsOf(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return new Map(
    text
      .trim()
      .split("\n")
      .map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]),
  );
}

/** What clients in another process see of a server in a third one. */
async function measure(port: number, rate: number, seconds: number): Promise<Measured> {
  const before = await metricsOf(port);
  const began = performance.now();
  const args = ["--role", "client", "--port", `${port}`, "--rate", `${rate}`, "--seconds", `${seconds}`];
  const client = fork(self, [...args, "--connections", values.connections]);
  const result = await reply<LoadResult>(client);
  const took = (performance.now() - began) / 1000;
  const after = await metricsOf(port);
  const spent = (name: string): number => ((after.get(name) ?? 0) - (before.get(name) ?? 0)) / took;
  return { ...result, cpu: spent("process_cpu_seconds_total"), predicting: spent("predictor_seconds_total") };
}

function print(name: string, { requests, failures, rate, p50, p99, p999, max, cpu, predicting }: Measured): void {
  const ms = (value: number): string => value.toFixed(2).padStart(8);
  const share = `${(100 * cpu).toFixed(0)}% of a core, ${(100 * predicting).toFixed(1)}% in predictions`;
  console.log(
    `${name.padEnd(34)}${rate.toFixed(0).padStart(7)}/s${ms(p50)}${ms(p99)}${ms(p999)}${ms(max)}   ${share}` +
      `   ${requests} answers, ${failures} failures`,
  );
}

/** Alone, then beside a training of the server's process. */
async function loadTest(): Promise<void> {
  const [rate, seconds] = [
    Number(values.rate ?? (values.quick ? 500 : 8000)),
    Number(values.seconds ?? (values.quick ? 1 : 10)),
  ];
  const engines = values.beside === undefined ? ["carillon"] : ["carillon", values.beside];
  console.log(`${" ".repeat(34)} answers     p50     p99   p99.9     max ms`);
  for (const engine of engines) {
    const options = [
      "--port",
      "0",
      "--out",
      values.out,
      "--weights",
      values.weights,
      ...(values.quick ? ["--quick"] : []),
    ];
    const server = fork(self, ["--role", engine, ...options, ...(values.model === undefined ? [] : ["--model", file])]);
    const port = await reply<number>(server);
    await measure(port, rate, values.quick ? 0.2 : 2); // warms up
    const alone = await measure(port, rate, seconds);
    print(engine, alone);
    server.send("train");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const busy = await measure(port, rate, seconds);
    print(`${engine}, beside a training`, busy);
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    const [status] = await ended;
    if (status !== 0 || alone.failures + busy.failures > 0) process.exitCode = 1;
  }
}

if (values.role === "client") {
  const row = Array.from({ length: INPUTS }, (_, at) => Math.round(1000 * Math.sin(at)) / 1000);
  const [port, rate, seconds] = [values.port, values.rate, values.seconds].map(Number);
  const options = {
    port: port ?? 0,
    rate: rate ?? 0,
    seconds: seconds ?? 0,
    connections: Number(values.connections),
    row,
  };
  process.send?.(await generateLoad(options), () => process.exit());
} else if (values.role !== undefined) await serveHere(Number(values.port), values.role);
else if (values.load || values.quick) await loadTest();
else await serveHere(Number(values.port), "carillon");
