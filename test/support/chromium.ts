import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import {
  archivedFiles,
  cacheFolders,
  packageFolder,
  packageVersion,
} from '../../src/node/packaged-binaries.ts';

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
  const name = `chromium-${await packageVersion(source)}`;
  const reasons: string[] = [];
  for (const cache of cacheFolders()) {
    const folder = join(cache, 'laminar', name);
    try {
      await unpackInto(folder, join(source, 'bin'));
      return launchFrom(folder);
    } catch (error) {
      reasons.push(String(error)); // read-only or full: try the next place
    }
  }
  throw new Error(`could not unpack Chromium for the tests: ${reasons.join('; ')}`);
}

function launchFrom(folder: string): ChromiumLaunch {
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

async function unpackInto(folder: string, archives: string): Promise<void> {
  const isThere = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  const binary = join(folder, 'chromium');
  if (await isThere(binary)) return;
  const staging = `${folder}.${process.pid}.partial`;
  try {
    for (const archive of ['swiftshader.tar.br', 'al2023.tar.br']) {
      for (const [path, content] of await archivedFiles(join(archives, archive))) {
        await mkdir(dirname(join(staging, path)), { recursive: true });
        await writeFile(join(staging, path), content, { mode: 0o755 });
      }
    }
    const chromium = brotliDecompressSync(await readFile(join(archives, 'chromium.br')));
    await writeFile(join(staging, 'chromium'), chromium, { mode: 0o755 });
    // Whoever renames first wins; another process's copy is as good as ours.
    await rename(staging, folder).catch(async (error: unknown) => {
      if (!(await isThere(binary))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
