// TensorBoard's event files: records of TFRecord, each an `Event` of protocol buffers.
import { edgeOf, type Histogram } from "../../data/histogram.js";
import { crc32c } from "../../io/crc32c.js";

/** A number under a name. */
export type Scalar = readonly [tag: string, value: number];

/** A histogram under a name. */
export type TaggedHistogram = readonly [tag: string, histogram: Histogram, numbers: number];

/** Numbers of the fields of `Event`, `Summary`, `Summary.Value`, `HistogramProto` and `SessionLog` in TensorFlow's event.proto, summary.proto and histogram.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2, histogram: 5 } as const;
const HISTOGRAM = { min: 1, max: 2, numbers: 3, sum: 4, squares: 5, limits: 6, counts: 7 } as const;
const SESSION_LOG = { status: 1 } as const;
const START = 1;

/** How a field is written, in the lowest three bits before its value. */
const WIRE = { varint: 0, double: 1, bytes: 2, float: 5 } as const;

type Bytes = readonly number[];

function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}

const key = (field: number, wire: number): Bytes => varint(field * 8 + wire);

function number(field: number, value: number): Bytes {
  return [...key(field, WIRE.varint), ...varint(value)];
}

function double(field: number, value: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return [...key(field, WIRE.double), ...bytes];
}

/** A double that readers take for 0 where it is left out. */
const doubleOrNone = (field: number, value: number): Bytes => (Object.is(value, 0) ? [] : double(field, value));

/** Doubles one after another. */
function doubles(field: number, values: readonly number[]): Bytes {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => {
    view.setFloat64(8 * at, value, true);
  });
  return inside(field, bytes);
}

function float(field: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [...key(field, WIRE.float), ...bytes];
}

function inside(field: number, bytes: Iterable<number> & { readonly length: number }): Bytes {
  return [...key(field, WIRE.bytes), ...varint(bytes.length), ...bytes];
}

const text = (field: number, value: string): Bytes => inside(field, new TextEncoder().encode(value));

/** As TFRecord has it: a checksum that does not change where it is a part of what is summed. */
function masked(bytes: Uint8Array): number {
  const sum = crc32c(bytes);
  return (((sum >>> 15) | (sum << 17)) + 0xa282_ead8) >>> 0;
}

/** A record: u64 length, its checksum, the bytes, their checksum; little endian. */
function record(event: Bytes): Uint8Array {
  const bytes = new Uint8Array(8 + 4 + event.length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, event.length, true);
  view.setUint32(8, masked(bytes.subarray(0, 8)), true);
  bytes.set(event, 12);
  view.setUint32(12 + event.length, masked(bytes.subarray(12, 12 + event.length)), true);
  return bytes;
}

/** The beginning of a file. Of a run that goes on a reader is told to forget what it has from `step` on. */
export function beginningRecords(seconds: number, step: number | undefined): readonly Uint8Array[] {
  const version = record([...double(EVENT.wallTime, seconds), ...text(EVENT.fileVersion, "brain.Event:2")]);
  if (step === undefined) return [version];
  const session = inside(EVENT.sessionLog, number(SESSION_LOG.status, START));
  return [version, record([...double(EVENT.wallTime, seconds), ...number(EVENT.step, step), ...session])];
}

/** A histogram as `HistogramProto`: a limit is where a bucket ends. */
function histogramProto(histogram: Histogram, numbers: number): Bytes {
  const { low, high, sum, squares, counts } = histogram;
  const limits = counts.map((_, at) => (at + 1 === counts.length ? high : edgeOf(histogram, at + 1)));
  return [
    ...doubleOrNone(HISTOGRAM.min, low),
    ...doubleOrNone(HISTOGRAM.max, high),
    ...doubleOrNone(HISTOGRAM.numbers, numbers),
    ...doubleOrNone(HISTOGRAM.sum, sum),
    ...doubleOrNone(HISTOGRAM.squares, squares),
    ...doubles(HISTOGRAM.limits, limits),
    ...doubles(HISTOGRAM.counts, counts),
  ];
}

/** Numbers and histograms of one step. */
export function summaryRecord(
  seconds: number,
  step: number,
  scalars: readonly Scalar[],
  histograms: readonly TaggedHistogram[] = [],
): Uint8Array {
  const values = [
    ...scalars.map(([tag, value]) => [...text(VALUE.tag, tag), ...float(VALUE.simpleValue, value)]),
    ...histograms.map(([tag, histogram, numbers]) => [
      ...text(VALUE.tag, tag),
      ...inside(VALUE.histogram, histogramProto(histogram, numbers)),
    ]),
  ].flatMap((value) => inside(SUMMARY.value, value));
  return record([...double(EVENT.wallTime, seconds), ...number(EVENT.step, step), ...inside(EVENT.summary, values)]);
}
