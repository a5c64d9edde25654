/**
 * Whether the memory of `data` was transferred away, to a worker for instance; such an array has length 0.
 *
 * Node.js 20 has no `buffer.detached`: that a new view of the buffer throws is what tells it from an empty array.
 */
export function isDetached(data: ArrayBufferView): boolean {
  if (data.byteLength > 0) return false;
  try {
    return new Uint8Array(data.buffer).length < 0;
  } catch {
    return true;
  }
}
