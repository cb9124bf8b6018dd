import type { Words } from '../engine/error-words.ts';

/** What the command calls an option of the library: `--without-dimensions`; GPU memory has a name of its own. */
export const flagWords: Words = (option) =>
  option === 'memoryLimit'
    ? '--gpu-memory'
    : `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
