import type { Words } from '../engine/error-words.ts';

/** What the command calls the options of errors. */
export const flagWords: Words = {
  memoryLimit: '--gpu-memory',
  tokens: '--tokens',
  start: '--start',
  seed: '--seed',
  threshold: '--threshold',
  text: '--text',
  measures: '--measures',
  views: '--views',
  withoutDimensions: '--without-dimensions',
};
