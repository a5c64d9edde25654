// Weights in other orders of their axes.

/** [columns, rows] of [rows, columns]. */
export function turned(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  const BLOCK = 32; // of rows and columns whose lines of memory stay in the cache
  for (let top = 0; top < rows; top += BLOCK) {
    for (let left = 0; left < columns; left += BLOCK) {
      for (let row = top; row < Math.min(top + BLOCK, rows); row++) {
        for (let column = left; column < Math.min(left + BLOCK, columns); column++)
          result[column * rows + row] = data[row * columns + column] ?? 0;
      }
    }
  }
  return result;
}

/** [outputs, columns, rows] of [outputs, rows, columns]: of a convolution's weight, with the places of its kernel as one axis. */
export function turnedEach(data: Float32Array, outputs: number, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  const size = rows * columns;
  for (let output = 0; output < outputs; output++) {
    const part = data.subarray(output * size, (output + 1) * size);
    result.set(turned(part, rows, columns), output * size);
  }
  return result;
}

/** Stretches of equal length in another order. */
export function reordered(data: Float32Array, order: readonly number[]): Float32Array {
  const size = data.length / order.length;
  const result = new Float32Array(data.length);
  for (const [place, from] of order.entries()) result.set(data.subarray(from * size, (from + 1) * size), place * size);
  return result;
}
