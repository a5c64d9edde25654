// A load generator: requests at their times, whether the answers to former ones have come or not (an open loop), over connections that
// stay. It speaks HTTP/1.1 itself, as node:http would need more of a core than the server.
import { connect, type Socket } from "node:net";

export interface LoadOptions {
  readonly port: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
  readonly row: readonly number[];
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds from the time at which a request should have been sent. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const HEAD_END = "\r\n\r\n";

/** Milliseconds of requests that come first and do not count: code is compiled. */
const WARM_UP = 500;

/** Milliseconds that answers are waited for at the end. */
const PATIENCE = 10_000;

/** A connection, and when the requests on it should have been sent. */
interface Line {
  readonly socket: Socket;
  readonly due: number[];
  text: string;
}

/** Answers that are whole: status and length of each; `text` is what is left. */
function takeAnswers(line: Line, text: string, told: (isGood: boolean) => void): void {
  line.text += text;
  for (;;) {
    const head = line.text.indexOf(HEAD_END);
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(line.text.slice(0, head))?.[1] ?? 0);
    const end = head + HEAD_END.length + length;
    if (line.text.length < end) return;
    told(line.text.startsWith("HTTP/1.1 200"));
    line.text = line.text.slice(end);
  }
}

export async function generateLoad({ port, rate, seconds, connections, row }: LoadOptions): Promise<LoadResult> {
  const body = JSON.stringify(row);
  const request = `POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const bytes = Buffer.from(request, "latin1");
  const latencies: number[] = [];
  let [failures, answers, counted] = [0, 0, 0];
  const lines = await Promise.all(
    Array.from({ length: connections }, async (): Promise<Line> => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      await new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      });
      const line: Line = { socket, due: [], text: "" };
      socket.on("data", (data: Buffer) => {
        takeAnswers(line, data.toString("latin1"), (isGood) => {
          const due = line.due.shift() ?? 0;
          answers += 1;
          if (due >= counted) latencies.push(performance.now() - due);
          if (!isGood) failures += 1;
        });
      });
      return line;
    }),
  );
  const total = Math.round(rate * (seconds + WARM_UP / 1000));
  const began = performance.now();
  counted = began + WARM_UP;
  let sent = 0;
  await new Promise<void>((resolve) => {
    const turn = (): void => {
      for (; sent < total && began + (sent * 1000) / rate <= performance.now(); sent++) {
        const line = lines[sent % lines.length];
        line?.due.push(began + (sent * 1000) / rate);
        line?.socket.write(bytes);
      }
      if (sent < total) setTimeout(turn, 1);
      else resolve();
    };
    turn();
  });
  const patience = performance.now() + PATIENCE;
  while (answers < total && performance.now() < patience) await new Promise((resolve) => setTimeout(resolve, 1));
  const took = (performance.now() - counted) / 1000;
  for (const { socket } of lines) socket.destroy();
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return {
    requests: latencies.length,
    failures: failures + total - answers,
    rate: latencies.length / took,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted.at(-1) ?? Number.NaN,
  };
}
