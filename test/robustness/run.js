// Runs the whole battery: `npm run test:robustness`. Every test run has a part of it.
import { startVitest } from 'vitest/node';

process.env.LAMINAR_ROBUSTNESS = 'whole';
await startVitest('test', ['test/robustness'], { watch: false, maxWorkers: 1 });
