/** Merges after which a long word lets others have a turn. */
const MERGES_AT_ONCE = 4096;
/** Pairs that are looked up in the table before others have a turn. */
const PAIRS_AT_ONCE = 2 ** 16;
/** A place within a word and a rank make one number that sorts by rank, then by place. */
const PLACES = 2 ** 31;

/** The merges of a BPE model: pairs of token ids, the rank of each and what it becomes. An open-addressed table. */
export class MergeTable {
  readonly #mask: number;
  readonly #slots: Int32Array; // left, right, rank + 1; 0 where free
  /** [merges] what each makes, by rank. */
  readonly products: Int32Array;

  /** @param merges [left, right, merged] in the order of their ranks; of equal pairs the last one counts */
  constructor(merges: readonly (readonly [number, number, number])[]) {
    const size = 2 ** Math.ceil(Math.log2(2 * merges.length + 2));
    this.#mask = size - 1;
    this.#slots = new Int32Array(3 * size);
    this.products = new Int32Array(merges.length);
    for (const [rank, [left, right, merged]] of merges.entries()) {
      const slot = this.#find(left, right);
      this.#slots.set([left, right, rank + 1], slot);
      this.products[rank] = merged;
    }
  }

  /** The rank of a pair, −1 if it does not merge. */
  rank(left: number, right: number): number {
    return this.#slots[this.#find(left, right) + 2]! - 1;
  }

  #find(left: number, right: number): number {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) & this.#mask;
    for (; this.#slots[3 * slot + 2] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#slots[3 * slot] === left && this.#slots[3 * slot + 1] === right) break;
    }
    return 3 * slot;
  }
}

/**
 * Merges the symbols of a word: the pair of lowest rank first, and of equal ranks the leftmost (Sennrich, Haddow and Birch
 * 2016). It takes O(n log n), with a linked list of symbols and a heap of candidates, as in the Rust library.
 */
export class WordMerger {
  readonly #ids: Int32Array;
  readonly #before: Int32Array;
  readonly #after: Int32Array;
  readonly #heap: Float64Array;
  #heapSize = 0;
  #length = 0;

  /** @param capacity the maximum number of symbols of a word */
  constructor(
    private readonly table: MergeTable,
    readonly capacity: number,
  ) {
    this.#ids = new Int32Array(capacity);
    this.#before = new Int32Array(capacity);
    this.#after = new Int32Array(capacity);
    // A merge takes one candidate and adds two, and there are fewer merges than symbols.
    this.#heap = new Float64Array(2 * capacity + 2);
  }

  /**
   * Merges a word and hands out the ids that are left, in order; pauses now and then.
   * @param symbols [n], at most the capacity
   */
  *run(symbols: ArrayLike<number>, onId: (id: number) => void): Generator<void, void> {
    this.#begin(symbols);
    for (let place = 0; place < symbols.length; place += PAIRS_AT_ONCE) {
      this.#considerAll(place, Math.min(place + PAIRS_AT_ONCE, symbols.length));
      yield;
    }
    while (!this.#merge(MERGES_AT_ONCE)) yield;
    for (let place = 0; place !== -1; place = this.#after[place]!) onId(this.#ids[place]!);
  }

  /** The same without a pause, for words that are short. */
  runAtOnce(symbols: ArrayLike<number>): number[] {
    const ids: number[] = [];
    if (symbols.length === 0) return ids;
    this.#begin(symbols);
    this.#considerAll(0, symbols.length);
    this.#merge(Infinity);
    for (let place = 0; place !== -1; place = this.#after[place]!) ids.push(this.#ids[place]!);
    return ids;
  }

  #begin(symbols: ArrayLike<number>): void {
    this.#length = symbols.length;
    this.#heapSize = 0;
    this.#ids.set(symbols);
    for (let place = 0; place < this.#length; place += 1) {
      this.#before[place] = place - 1;
      this.#after[place] = place + 1 < this.#length ? place + 1 : -1;
    }
  }

  #considerAll(start: number, stop: number): void {
    for (let place = start; place < stop && place + 1 < this.#length; place += 1) this.#consider(place);
  }

  /** @returns whether nothing is left to merge */
  #merge(count: number): boolean {
    for (let step = 0; step < count; step += 1) {
      if (this.#heapSize === 0) return true;
      const candidate = this.#take();
      const place = candidate % PLACES;
      const right = this.#after[place]!;
      if (this.#ids[place] === -1 || right === -1) continue; // merged into another, or last by now
      const merged = this.table.products[Math.floor(candidate / PLACES)]!;
      const rank = this.table.rank(this.#ids[place]!, this.#ids[right]!);
      if (rank === -1 || this.table.products[rank] !== merged) continue; // another pair by now
      const beyond = this.#after[right]!;
      this.#ids[place] = merged;
      this.#ids[right] = -1;
      this.#after[place] = beyond;
      if (beyond !== -1) this.#before[beyond] = place;
      if (this.#before[place] !== -1) this.#consider(this.#before[place]!);
      if (beyond !== -1) this.#consider(place);
    }
    return false;
  }

  /** Adds the pair that begins at a place, if it merges. */
  #consider(place: number): void {
    const rank = this.table.rank(this.#ids[place]!, this.#ids[this.#after[place]!]!);
    if (rank === -1) return;
    const key = rank * PLACES + place;
    const heap = this.#heap;
    let hole = this.#heapSize;
    this.#heapSize += 1;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[hole] = heap[parent]!;
      hole = parent;
    }
    heap[hole] = key;
  }

  #take(): number {
    const heap = this.#heap;
    const least = heap[0]!;
    this.#heapSize -= 1;
    const key = heap[this.#heapSize]!;
    const size = this.#heapSize;
    let hole = 0;
    for (let child = 1; child < size; child = 2 * hole + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child += 1;
      if (heap[child]! >= key) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = key;
    return least;
  }
}
