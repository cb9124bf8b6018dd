import fileSystem from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll } from 'vitest';

type FileSystem = typeof fileSystem;

/** The calls of node:fs/promises as they are, whatever a test replaces. */
export const realFileSystem: Readonly<FileSystem> = { ...fileSystem };

/**
 * Replaces calls of node:fs/promises during a file's tests, for every module of this process: a file system that refuses
 * what the one of the tests does not.
 */
export function replaceFileCalls(calls: Partial<FileSystem>): void {
  const set = (chosen: Partial<FileSystem>): void => {
    Object.assign(fileSystem, chosen);
    syncBuiltinESMExports();
  };
  beforeAll(() => {
    set(calls);
  });
  afterAll(() => {
    set(realFileSystem);
  });
}
