// What the machine can do beside a measured step.
import { measureLimits } from "../native.js";
import { parametersOf } from "../roofline.js";
import type { Network } from "./networks.js";
import type { Limits } from "./rows.js";

/** Bytes of Adam's pass a parameter: the working set of the bandwidth. */
const BYTES = 28;

/** Seconds of measuring the peak; the bandwidth takes twice as long. */
const SECONDS = 0.05;

/** The limits of a network's step with `threads` threads, now. */
export async function limitsOf({ sizes }: Network, threads: number): Promise<Limits> {
  const { fmaPeak, bandwidths } = await measureLimits([BYTES * parametersOf(sizes)], threads, SECONDS);
  return { fmaPeak, bandwidth: bandwidths[0] ?? Number.NaN };
}
