/** Whether the whole battery runs (`npm run test:robustness`), or the part that every test run has. */
export const isWhole = process.env['LAMINAR_ROBUSTNESS'] === 'whole';

/** All numbers from 1 to `count` in the whole battery; else a few of them, spread evenly. */
export function some(count: number, few: number): number[] {
  if (isWhole || count <= few) return Array.from({ length: count }, (_, index) => index + 1);
  return Array.from({ length: few }, (_, index) => Math.ceil(((index + 0.5) * count) / few));
}

/** Notes a figure of the whole battery, for docs/robustness.md. */
export function tell(figure: string): void {
  if (isWhole) console.info(figure);
}
