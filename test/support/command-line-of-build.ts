import type * as sources from './command-line-of-sources.ts';

/** The command line as it was built for the tests: nothing is transformed, and it is what users run. */
const built = async (path: string): Promise<typeof sources> =>
  (await import(
    /* @vite-ignore */ new URL(`../../out/test-dist/${path}`, import.meta.url).href
  )) as typeof sources;

export const { runCommandLine } = await built('node/command-line.js');
export const { openNodeGpu } = await built('node/index.js');
