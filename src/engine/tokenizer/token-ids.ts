const BLOCK = 2 ** 16;

/** Token ids as they come: 4 bytes each, in blocks, because a list of numbers takes several times as much while it grows. */
export class TokenIds {
  readonly #blocks: Int32Array<ArrayBuffer>[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(id: number): void {
    const place = this.#length % BLOCK;
    if (place === 0) this.#blocks.push(new Int32Array(BLOCK));
    this.#blocks.at(-1)![place] = id;
    this.#length += 1;
  }

  /** @returns [stop − start], a copy; both must lie within the list */
  slice(start = 0, stop = this.#length): Int32Array<ArrayBuffer> {
    const ids = new Int32Array(stop - start);
    for (let place = start; place < stop;) {
      const offset = place % BLOCK;
      const count = Math.min(BLOCK - offset, stop - place);
      ids.set(this.#blocks[Math.floor(place / BLOCK)]!.subarray(offset, offset + count), place - start);
      place += count;
    }
    return ids;
  }
}
