import type { KernelTime } from '../../engine/gpu/timer.ts';
import { addWork } from '../../engine/work.ts';
import type { Work, WorkByKernel } from '../../engine/work.ts';
import type { Ceilings, KernelRate, Rate } from './result.ts';

type Ceiling = Pick<Ceilings, 'flops' | 'bytes_per_second'>;

/** How fast some work was done, compared with the ceilings. */
export function rateOf(seconds: number, work: Work | undefined, ceiling: Ceiling): Rate {
  // A timer's step may be longer than a kernel runs.
  const each = (amount: number | undefined) => (amount && seconds > 0 ? amount / seconds : null);
  const [flops, bytes] = [each(work?.operations), each(work?.bytes)];
  return {
    seconds,
    flops,
    of_flops: flops && flops / ceiling.flops,
    bytes_per_second: bytes,
    of_bytes: bytes && bytes / ceiling.bytes_per_second,
  };
}

/** The work of all kernels of a job. */
export function totalWork(work: WorkByKernel): Work {
  return Object.values(work).reduce<Work>(addWork, { operations: 0, bytes: 0 });
}

/** Each kernel's shortest time in several runs of the same job. */
export function fastestOf(runs: readonly (readonly KernelTime[])[]): KernelTime[] {
  const fastest = new Map<string, KernelTime>();
  for (const time of runs.flat()) {
    const before = fastest.get(time.kernel);
    if (!before || time.milliseconds < before.milliseconds) fastest.set(time.kernel, time);
  }
  return [...fastest.values()];
}

/** What several kernels are called together: how all their names begin, and a star. */
function groupName(names: readonly string[]): string {
  const [first = '', ...others] = names;
  if (others.length === 0) return first;
  let length = 0;
  while (length < first.length && others.every((name) => name[length] === first[length])) length += 1;
  return `${first.slice(0, length)}*`;
}

/**
 * Times of kernels with the work that each did, slowest first. Work is known by a kernel's name without its variant; if
 * two variants of a kernel ran, or a kernel and its second part, their times are added.
 */
export function kernelRates(
  times: readonly KernelTime[],
  work: WorkByKernel,
  ceiling: Ceiling,
): KernelRate[] {
  const known = Object.keys(work).sort((a, b) => b.length - a.length);
  const groups = new Map<string, KernelTime[]>();
  for (const time of times) {
    const base = known.find((name) => time.kernel === name || time.kernel.startsWith(`${name}-`));
    const key = base ?? time.kernel;
    groups.set(key, [...(groups.get(key) ?? []), time]);
  }
  const total = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return [...groups]
    .map(([base, group]) => {
      const milliseconds = group.reduce((sum, time) => sum + time.milliseconds, 0);
      return {
        kernel: groupName(group.map(({ kernel }) => kernel)),
        calls: group.reduce((sum, { dispatches }) => sum + dispatches, 0),
        share: total > 0 ? milliseconds / total : 0,
        ...rateOf(milliseconds / 1000, work[base], ceiling),
      };
    })
    .sort((a, b) => b.seconds - a.seconds);
}
