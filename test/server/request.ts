// The client: sends requests at their times, whether the answers to former ones have come or not (an open loop), so that
// a server that stands still is seen by all who would have come meanwhile.
import { Agent, get } from "node:http";
import type { Latency } from "./messages.js";

/** Connections at most: more at once, after both have stood still, would be refused. */
const SOCKETS = 100;

/** Milliseconds that the client waits for the last answers. */
const PATIENCE = 120_000;

/** Asks `port` `rate` times a second until the parent process sends a message; then tells what it saw. */
export function request(port: number, rate: number): void {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  const seen: Latency[] = [];
  const now = (): number => performance.timeOrigin + performance.now();
  const start = now() + 100;
  let sent = 0;
  let over = false;
  const tell = (): void => {
    if (!over || seen.length < sent) return;
    process.send?.(seen, () => process.exit());
  };
  const send = (intended: number): void => {
    const finish = (): void => {
      seen.push({ intended, milliseconds: now() - intended });
      tell();
    };
    get({ host: "127.0.0.1", port, agent }, (response) => response.resume().on("end", finish)).on("error", (error) => {
      console.error(`a request failed: ${error.message}`);
      process.exit(1);
    });
  };
  const turn = (): void => {
    for (let due = start + (sent * 1000) / rate; due <= now() && !over; due = start + (sent * 1000) / rate) {
      sent += 1;
      send(due);
    }
    if (!over) setTimeout(turn, Math.max(0, start + (sent * 1000) / rate - now()));
  };
  process.on("message", () => {
    over = true;
    setTimeout(() => process.exit(2), PATIENCE).unref();
    tell();
  });
  turn();
}
