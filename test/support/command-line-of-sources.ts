// The command line as the sources have it; command-line-of-build.ts is its twin.
export { runCommandLine } from '../../src/node/command-line.ts';
export { openNodeGpu } from '../../src/node/gpu.ts';
