import { expect, test } from 'vitest';
import { BindGroups } from '../../../src/engine/gpu/bind-groups.ts';
import type { BufferRange } from '../../../src/engine/gpu/kernel.ts';

const layout = {} as GPUBindGroupLayout;
const buffer = () => ({ size: 1024 }) as GPUBuffer;

/** Counts the bind groups that are made. */
function counted() {
  const groups = new BindGroups();
  let made = 0;
  return {
    groups,
    made: () => made,
    get: (ranges: readonly (GPUBuffer | BufferRange)[], of = layout) =>
      groups.get(of, ranges, () => ({ label: String(++made) }) as GPUBindGroup),
  };
}

test('the same layout and ranges share a bind group; any difference makes another', () => {
  const { get, made } = counted();
  const [a, b] = [buffer(), buffer()];
  const ranges = [[a, b], [b, a], [a], [{ buffer: a, offset: 256 }, b], [{ buffer: a, size: 256 }, b]];
  const first = ranges.map((each) => get(each));
  first.push(get([a, b], {} as GPUBindGroupLayout));
  expect(new Set(first).size).toBe(6);
  expect(ranges.map((each) => get(each))).toEqual(first.slice(0, 5));
  expect(get([{ buffer: a }, b])).not.toBe(first[3]);
  expect(made()).toBeLessThanOrEqual(7);
});

test('what binds a freed buffer is forgotten, and the rest stays', () => {
  const { groups, get, made } = counted();
  const [weight, one, other] = [buffer(), buffer(), buffer()];
  get([weight, one]);
  const kept = get([weight, other]);
  groups.forget(one);
  groups.forget(one);
  expect(get([weight, other])).toBe(kept);
  expect(made()).toBe(2);
  get([weight, one]);
  expect(made()).toBe(3);
  groups.forget(weight);
  expect(get([weight, other])).not.toBe(kept);
});

test('ever new buffers do not fill the memory', () => {
  const { get, made } = counted();
  const weight = buffer();
  const first = get([weight]);
  for (let i = 0; i < 10_000; i++) get([weight, buffer()]);
  expect(get([weight])).not.toBe(first);
  expect(made()).toBe(10_002);
});
