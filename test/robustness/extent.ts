/** Whether the whole battery runs (`npm run test:robustness`), or the part that every test run has. */
export const isWhole = import.meta.env.MODE === 'robustness';

/** All numbers from 1 to `count` in the whole battery; else a few of them, from the middle outwards. */
export function some(count: number, few: number): number[] {
  if (isWhole || count <= few) return Array.from({ length: count }, (_, index) => index + 1);
  return Array.from({ length: few }, (_, index) => Math.ceil(((index + 0.5) * count) / few));
}
