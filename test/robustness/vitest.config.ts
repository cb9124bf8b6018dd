import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The whole battery (`npm run test:robustness`): what every test run has in full, and what takes minutes. */
export default defineConfig({
  root: here('../..'),
  resolve: { alias: { '#platform': here('../support/platform-node.ts') } },
  test: {
    include: ['test/robustness/*.test.ts', 'test/robustness/*.battery.ts'],
    env: { LAMINAR_ROBUSTNESS: 'whole' },
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
  },
});
