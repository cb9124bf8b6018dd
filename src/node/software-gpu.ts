import { copyFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError } from '../engine/errors.ts';
import { makeFolder } from './folders.ts';
import { archivedFiles, cacheFolders, packageFolder, packageVersion } from './packaged-binaries.ts';

/** A copy of Dawn that finds SwiftShader, and what its Vulkan loader must be told. */
export interface SoftwareGpu {
  /** `webgpu`'s entry module beside the copied binary. */
  readonly webgpuModule: string;
  /** The value for VK_DRIVER_FILES. */
  readonly driverFile: string;
}

/**
 * Unpacks SwiftShader (a Vulkan driver that runs on the CPU, Apache-2.0) from the npm package that carries it, once a
 * version, into the user's cache folder.
 *
 * Dawn looks for libvulkan.so.1 beside its own binary, so the folder holds a copy of that binary too: node_modules
 * stays untouched, and no environment variable need be set before Node starts.
 * @throws DeviceError where the package is missing or carries no driver for this platform.
 */
export async function unpackSwiftShader(): Promise<SoftwareGpu> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new DeviceError(
      `no software GPU is bundled for ${process.platform}-${process.arch}; install a GPU driver`,
    );
  }
  const webgpu = packageFolder('webgpu');
  const chromium = packageFolder('@sparticuz/chromium');
  const [webgpuVersion, chromiumVersion] = await Promise.all([webgpu, chromium].map(packageVersion));
  const name = `swiftshader-${chromiumVersion}-webgpu-${webgpuVersion}`;
  for (const cache of cacheFolders()) {
    const folder = join(cache, 'laminar', name);
    try {
      await unpackInto(folder, webgpu, chromium);
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      continue; // read-only or full: try the next place
    }
    return {
      webgpuModule: join(folder, 'index.js'),
      driverFile: join(folder, 'dist', 'linux-x64', 'vk_swiftshader_icd.json'),
    };
  }
  throw new DeviceError(
    `could not unpack the software GPU into ${cacheFolders().join(' or ')}; make one writable`,
  );
}

async function unpackInto(folder: string, webgpu: string, chromium: string): Promise<void> {
  const isReady = await readdir(folder).then(
    (names) => names.includes('index.js'),
    () => false,
  );
  if (isReady) return;
  const staging = `${folder}.${process.pid}.partial`;
  const binaries = join(staging, 'dist', 'linux-x64');
  try {
    await makeFolder(binaries);
    for (const [path, content] of await archivedFiles(join(chromium, 'bin', 'swiftshader.tar.br'))) {
      if (/^(\.\/)?(libvk_swiftshader\.so|libvulkan\.so\.1|vk_swiftshader_icd\.json)$/.test(path)) {
        await writeFile(join(binaries, path.replace('./', '')), content, { mode: 0o755 });
      }
    }
    const dawn = join('dist', 'linux-x64', 'dawn.node');
    await copyFile(join(webgpu, dawn), join(staging, dawn));
    await copyFile(join(webgpu, 'package.json'), join(staging, 'package.json'));
    await copyFile(join(webgpu, 'index.js'), join(staging, 'index.js'));
    // Whoever renames first wins; another process's copy is as good as ours.
    await rename(staging, folder).catch(async (error: unknown) => {
      if (!(await readdir(folder)).includes('index.js')) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
