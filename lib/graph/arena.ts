/** Elements to whose multiples blocks are aligned: a cache line of f32. */
const ALIGNMENT = 16;

interface Block {
  readonly begin: number;
  readonly end: number;
}

/** Places blocks in one stretch of memory, first fit; freed stretches are used again. Sizes in 4-byte elements. */
export class Arena {
  readonly #blocks: Block[] = []; // sorted, apart
  #size = 0;

  /** Elements that all blocks ever placed need together. */
  get size(): number {
    return this.#size;
  }

  /** Offset of a free stretch of `count` elements, now taken. */
  take(count: number): number {
    const needed = Math.ceil(count / ALIGNMENT) * ALIGNMENT;
    let begin = 0;
    let index = 0;
    for (const block of this.#blocks) {
      if (block.begin - begin >= needed) break;
      begin = block.end;
      index += 1;
    }
    this.#blocks.splice(index, 0, { begin, end: begin + needed });
    this.#size = Math.max(this.#size, begin + needed);
    return begin;
  }

  /** Gives back the block at `offset`. */
  free(offset: number): void {
    const index = this.#blocks.findIndex((block) => block.begin === offset);
    if (index >= 0) this.#blocks.splice(index, 1);
  }
}
