import type { BufferRange } from './kernel.ts';

/**
 * The maximum number of bind groups that are kept. If there are more, all are dropped, because something always makes
 * new ones.
 */
const MAX_KEPT = 8192;

/** A bind group, and what it binds. */
interface Kept {
  readonly group: GPUBindGroup;
  readonly buffers: readonly GPUBuffer[];
}

/**
 * Bind groups by layout and ranges of buffers. Dispatches that bind the same again, as rounds of the spectrum do, share
 * one. It goes when one of its buffers is freed.
 */
export class BindGroups {
  readonly #kept = new Map<string, Kept>();
  readonly #keysOf = new Map<GPUBuffer, Set<string>>();
  readonly #numbers = new WeakMap<GPUBuffer | GPUBindGroupLayout, number>();
  #lastNumber = 0;

  /**
   * The bind group of these ranges, made by `make` if there is none yet.
   * @param ranges in the order of the layout's bindings
   */
  get(
    layout: GPUBindGroupLayout,
    ranges: readonly (GPUBuffer | BufferRange)[],
    make: () => GPUBindGroup,
  ): GPUBindGroup {
    let key = String(this.#numberOf(layout));
    for (const range of ranges) {
      if ('buffer' in range) {
        const { buffer, offset = 0, size = 0 } = range;
        key += `,${this.#numberOf(buffer)}:${offset}:${size}`;
      } else key += `,${this.#numberOf(range)}`;
    }
    const known = this.#kept.get(key);
    if (known) return known.group;
    if (this.#kept.size >= MAX_KEPT) this.#forgetAll();
    const group = make();
    const buffers = ranges.map((range) => ('buffer' in range ? range.buffer : range));
    this.#kept.set(key, { group, buffers });
    for (const buffer of buffers) {
      const keys = this.#keysOf.get(buffer);
      if (keys) keys.add(key);
      else this.#keysOf.set(buffer, new Set([key]));
    }
    return group;
  }

  /** Forgets what binds a buffer that is about to be freed. */
  forget(freed: GPUBuffer): void {
    const keys = this.#keysOf.get(freed);
    if (!keys) return;
    this.#keysOf.delete(freed);
    for (const key of keys) {
      const { buffers } = this.#kept.get(key)!;
      this.#kept.delete(key);
      for (const buffer of buffers) this.#keysOf.get(buffer)?.delete(key);
    }
  }

  #forgetAll(): void {
    this.#kept.clear();
    this.#keysOf.clear();
  }

  #numberOf(thing: GPUBuffer | GPUBindGroupLayout): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) this.#numbers.set(thing, (number = ++this.#lastNumber));
    return number;
  }
}
