// TensorBoard's event files: records of TFRecord, each an `Event` of protocol buffers.
import { crc32c } from "../../io/crc32c.js";

/** A number under a name. */
export type Scalar = readonly [tag: string, value: number];

/** Numbers of the fields of `Event`, `Summary`, `Summary.Value` and `SessionLog` in TensorFlow's event.proto and summary.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SUMMARY = { value: 1 } as const;
const VALUE = { tag: 1, simpleValue: 2 } as const;
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

/** Numbers of one step. */
export function scalarsRecord(seconds: number, step: number, scalars: readonly Scalar[]): Uint8Array {
  const values = scalars.flatMap(([tag, value]) =>
    inside(SUMMARY.value, [...text(VALUE.tag, tag), ...float(VALUE.simpleValue, value)]),
  );
  return record([...double(EVENT.wallTime, seconds), ...number(EVENT.step, step), ...inside(EVENT.summary, values)]);
}
