import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError } from '../engine/errors.ts';
import { archivedFiles, packageFolder, packageVersion } from './packaged-binaries.ts';
import { unpackPrograms } from './unpacked.ts';
import type { Programs, Unpacked } from './unpacked.ts';

/** The npm package that contains SwiftShader. */
export const SOFTWARE_PACKAGE = '@sparticuz/chromium';

/** Whether the package with SwiftShader is installed; null on platforms for which it has none. */
export function isSwiftShaderInstalled(): boolean | null {
  if (!isSupported()) return null;
  try {
    packageFolder(SOFTWARE_PACKAGE);
    return true;
  } catch {
    return false;
  }
}

/** SwiftShader is packaged for one platform. */
function isSupported(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

/**
 * SwiftShader (a Vulkan driver that runs on the CPU, Apache-2.0) from the npm package that contains it, and a copy of Dawn
 * that uses it. The package is large and only needed without a GPU, so users install it themselves.
 *
 * Dawn loads libvulkan.so.1 from beside its own binary, so SwiftShader lies there under that name: it has the loader's
 * entry point, too. Neither a loader nor an environment variable is needed, which worker threads could not set (their
 * process.env is a copy), and no layer of another driver is loaded with it.
 * @throws DeviceError if the package is missing or carries no driver for this platform.
 */
async function swiftShaderPrograms(): Promise<Programs> {
  if (!isSupported()) {
    const platform = `${process.platform}-${process.arch}`;
    throw new DeviceError(`${SOFTWARE_PACKAGE} has no software GPU for ${platform}`);
  }
  const webgpu = packageFolder('webgpu');
  const chromium = packageFolder(SOFTWARE_PACKAGE);
  const [webgpuVersion, chromiumVersion] = await Promise.all([webgpu, chromium].map(packageVersion));
  return {
    name: `webgpu-${webgpuVersion}-swiftshader-${chromiumVersion}`,
    compare: 'content',
    unpack: async () => {
      const archive = await archivedFiles(join(chromium, 'bin', 'swiftshader.tar.br'));
      const driver = archive.get('libvk_swiftshader.so');
      if (!driver) throw new DeviceError(`the package ${SOFTWARE_PACKAGE} has no libvk_swiftshader.so`);
      const binaries = join('dist', 'linux-x64');
      const copied = await Promise.all(
        [join(binaries, 'dawn.node'), 'index.js', 'package.json'].map(
          async (path) => [path, await readFile(join(webgpu, path))] as const,
        ),
      );
      return new Map([...copied, [join(binaries, 'libvulkan.so.1'), driver]]);
    },
  };
}

/** Where SwiftShader lies: checked once per process, because what a process has loaded no longer changes. */
let unpacked: Promise<Unpacked> | undefined;

/**
 * Unpacks SwiftShader, if that is not done yet.
 * @returns its folder; `index.js` in it is `webgpu`'s entry module
 * @throws DeviceError if the package is missing, carries no driver for this platform, or can be unpacked nowhere; the next
 *   call tries again
 */
export async function unpackSwiftShader(): Promise<Unpacked> {
  unpacked ??= swiftShaderPrograms().then((programs) => unpackPrograms(programs));
  try {
    return await unpacked;
  } catch (error) {
    unpacked = undefined;
    throw error;
  }
}
