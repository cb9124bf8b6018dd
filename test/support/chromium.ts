import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { archivedFiles, packageFolder, packageVersion } from '../../src/node/packaged-binaries.ts';
import { unpackPrograms } from '../../src/node/unpacked.ts';

/** How to start the browser of the tests; the shape of Playwright's launch options. */
export interface ChromiumLaunch {
  readonly executablePath: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** WebGPU on SwiftShader, no sandbox (the tests may run as root), and no request of the browser's own. */
const flags = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-vulkan=swiftshader',
  '--ignore-gpu-blocklist',
  '--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension', // kernels compile five times as fast
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Unpacks the headless Chromium of @sparticuz/chromium, once a version, into the user's cache folder: the binary, its
 * SwiftShader beside it, and the system libraries that a bare machine lacks.
 * @throws Error naming what failed, so that a browser that cannot start fails the tests with its reason
 */
export async function unpackChromium(): Promise<ChromiumLaunch> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(`the tests' browser is for linux-x64, this is ${process.platform}-${process.arch}`);
  const source = packageFolder('@sparticuz/chromium');
  const archive = (name: string) => join(source, 'bin', name);
  const { folder } = await unpackPrograms({
    name: `tests-chromium-${await packageVersion(source)}`,
    compare: 'sizes', // 190 MB
    unpack: async () =>
      new Map([
        ['chromium', brotliDecompressSync(await readFile(archive('chromium.br')))],
        ...(await archivedFiles(archive('swiftshader.tar.br'))),
        ...(await archivedFiles(archive('al2023.tar.br'))),
      ]),
  });
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const searchPath = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  return {
    executablePath: join(folder, 'chromium'),
    args: flags,
    env: { ...Object.fromEntries(inherited), LD_LIBRARY_PATH: searchPath },
  };
}
