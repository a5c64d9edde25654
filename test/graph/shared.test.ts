import { expect, test } from "vitest";
import { native } from "../../lib/binding/native.js";
import { Calls, SharedMemory } from "../../lib/graph/shared.js";

/** Memory of four floats, and calls that read or write it. */
function memory(): { shared: SharedMemory; readers: Calls; writers: Calls } {
  const slab = native.slabCreate(4, "f32");
  const shared = new SharedMemory(slab, 4);
  const [readers, writers] = [new Calls([{ slab, writable: false }]), new Calls([{ slab, writable: true }])];
  return { shared, readers, writers };
}

test("a run waits for calls that were made before it, though they have not begun to read: they waited for a writer", () => {
  const { shared, readers, writers } = memory();
  const load = writers.enter("load");
  const save = readers.enter("save");
  expect(save.ready).toBeDefined();
  load.end();
  shared.take("fit");
  expect(shared.unread).toBeDefined();
  save.end();
  expect(shared.unread).toBeUndefined();
});

test("calls that are made during a run work on copies, and it does not wait for them", () => {
  const { shared, readers } = memory();
  shared.take("fit");
  const call = readers.enter("program");
  expect(call.begin()).toBe(true);
  expect(shared.unread).toBeUndefined();
  call.end();
  shared.leave();
  const other = readers.enter("program");
  shared.take("fit");
  other.end();
  expect(shared.unread).toBeUndefined();
});
