import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { archivedFiles, packageFolder } from '../../src/node/packaged-binaries.ts';
import { commandPath, complaints, laminar } from './run-command.ts';
import { temporaryFolder } from './temporary-folder.ts';

interface Diagnosis {
  readonly adapter: { readonly description: string } | null;
  readonly attempts: readonly { readonly way: string; readonly outcome: string; readonly said: string[] }[];
  readonly driver_cache: { readonly folder: string; readonly refused: string[] } | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly choices: readonly { readonly decision: string; readonly why: string }[];
}

type Environment = Readonly<Record<string, string | undefined>>;

async function diagnose(env: Environment): Promise<Diagnosis & { complaint: string; code: number | null }> {
  const result = await laminar(['doctor', '--json'], { env });
  return { ...(JSON.parse(result.stdout) as Diagnosis), complaint: complaints(result), code: result.code };
}

/** SwiftShader's files, unpacked once. */
let driver: ReturnType<typeof archivedFiles> | undefined;

/**
 * A machine with a Vulkan loader and one installed driver: SwiftShader plays it. The loader says on stderr all that it
 * does, as drivers and Dawn do on many machines.
 */
async function machineWithDriver(): Promise<{ folder: string; env: Environment }> {
  const folder = await temporaryFolder();
  driver ??= archivedFiles(join(packageFolder('@sparticuz/chromium'), 'bin', 'swiftshader.tar.br'));
  for (const [path, content] of await driver) await writeFile(join(folder, path), content);
  const env = {
    LD_LIBRARY_PATH: folder,
    VK_DRIVER_FILES: join(folder, 'vk_swiftshader_icd.json'),
    VK_ICD_FILENAMES: undefined,
    VK_LOADER_DEBUG: 'all',
  };
  return { folder, env };
}

/** A machine with a loader that finds no driver. */
const withoutDriver = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: undefined };

describe('laminar doctor', () => {
  it('names the adapter, the ways tried and the limits', async () => {
    const diagnosis = await diagnose({});
    expect(diagnosis.adapter?.description).toMatch(/./);
    expect(diagnosis.attempts[0]).toMatchObject({ way: 'installed driver' });
    expect(diagnosis.limits['maxStorageBufferBindingSize']).toBeGreaterThan(0);
    expect(diagnosis.features).toBeInstanceOf(Array);
    expect(diagnosis.choices).toContainEqual({
      decision: 'matrix product',
      option: expect.any(String) as string,
      why: expect.stringMatching(/^(default|remembered|asked|self-test)$/) as string,
    });
    expect([diagnosis.complaint, diagnosis.code]).toEqual(['', 0]);
  });

  it('says what each way gave, what was printed meanwhile, where the driver lies, and what it has not', async () => {
    const { env } = await machineWithDriver();
    const cache = await temporaryFolder();
    const { stdout, stderr, code } = await laminar(['doctor', '--subgroup-matrices'], {
      env: { ...env, ...withoutDriver, XDG_CACHE_HOME: cache },
    });
    expect(stdout).toMatch(/^adapter {3}SwiftShader/m);
    expect(stdout).toMatch(
      /^tried {5}installed driver: Dawn accepts none of those installed\n {10}it said: \S/m,
    );
    expect(stdout).toMatch(/^tried {5}packaged SwiftShader: SwiftShader/m);
    expect(stdout).toContain(`\ncache     ${join(cache, 'laminar', 'webgpu-')}`);
    expect(stderr).toMatch(/^laminar: SwiftShader .* offers no subgroup matrices that Laminar can use .*\n$/);
    expect(stdout).toMatch(/^kernel {4}matrix product: lanes \(the default/m);
    expect(code).toBe(0);
  });

  it('takes an installed driver that works', async () => {
    const { env } = await machineWithDriver();
    const { adapter, attempts, driver_cache: cache, complaint } = await diagnose(env);
    expect(adapter?.description).toMatch(/SwiftShader/);
    expect(attempts).toMatchObject([{ way: 'installed driver', outcome: adapter!.description }]);
    expect([attempts[0]!.said.length > 0, cache, complaint]).toEqual([true, null, '']);
  });

  it('outlives a loader that crashes', async () => {
    const { folder, env } = await machineWithDriver();
    await truncate(join(folder, 'libvulkan.so.1'), 100_000);
    const { adapter, attempts, code } = await diagnose(env);
    expect(attempts).toMatchObject([
      { way: 'installed driver', outcome: expect.stringMatching(/crashed|failed|accepts none/) as string },
      { way: 'packaged SwiftShader', outcome: adapter!.description },
    ]);
    expect(code).toBe(0);
  });
});

it('what libraries print reaches nobody who did not ask', async () => {
  const { env } = await machineWithDriver();
  const cwd = env['LD_LIBRARY_PATH']!;
  const model = fileURLToPath(new URL('../golden/activations/gpt2-plain', import.meta.url));
  await writeFile(join(cwd, 'ids.json'), '[1, 2, 3]');
  const run = (...args: string[]) =>
    laminar([...args, '--ids', 'ids.json'], { cwd, env: { ...env, ...withoutDriver } });
  const { stdout, stderr, code } = await run('capture', model, '--out', 'states');
  expect(stderr).toMatch(/^laminar: NO HARDWARE GPU.*\n$/);
  expect(stdout).toMatch(/^states: ids .*\n$/);
  expect(code).toBe(0);
  // A plan looks for an adapter, too, and compiles nothing.
  const verbose = await run('--verbose', 'profile', model, '--plan');
  expect(verbose.stderr).toMatch(/^(laminar: .*\n)+$/);
  expect(verbose.stderr).toMatch(/^laminar: a driver says: \S/m);
});

it('a GPU opens in a worker thread, too, whose environment is its own', async () => {
  const entry = pathToFileURL(join(commandPath, '..', 'index.js')).href;
  const code = `
    const { parentPort } = require('node:worker_threads');
    (async () => {
      const { openNodeGpu } = await import(${JSON.stringify(entry)});
      const gpu = await openNodeGpu();
      const tensor = gpu.upload('values', [3], Float32Array.of(1, -2.5, 7));
      const values = [...(await gpu.readFloats(tensor))];
      tensor.dispose();
      gpu.dispose();
      parentPort.postMessage(values);
    })();`;
  const worker = new Worker(code, { eval: true, env: {} });
  // It speaks once its device is destroyed, and ends by itself. Terminated within one of Dawn's calls (dispose is one, too), it
  // would take Node with it; afterwards it may be.
  const ended = new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  const values = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
  expect(values).toEqual([1, -2.5, 7]);
  expect(await ended).toBe(0);
});

describe('the unpacked driver', () => {
  it('is whole for several processes that unpack at once, and after damage', async () => {
    const cache = await temporaryFolder();
    const env = { ...withoutDriver, XDG_CACHE_HOME: cache };
    const expectSwiftShader = async () => {
      const { driver_cache: found, code } = await diagnose(env);
      expect([found?.refused, code]).toEqual([[], 0]);
      return found!.folder;
    };
    const folders = await Promise.all([expectSwiftShader(), expectSwiftShader(), expectSwiftShader()]);
    expect(new Set(folders).size).toBe(1);
    const driver = join(folders[0]!, 'dist', 'linux-x64', 'libvulkan.so.1');
    const whole = await readFile(driver);
    await truncate(driver, 4_000_000);
    await expectSwiftShader();
    expect((await readFile(driver)).equals(whole)).toBe(true);
    expect(await readdir(join(cache, 'laminar'))).toHaveLength(1);
  });

  it('lies elsewhere where the cache folder is not ours alone, and doctor says why', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'open'));
    await chmod(join(root, 'open'), 0o777);
    await mkdir(join(root, 'tmp'));
    const env = { ...withoutDriver, XDG_CACHE_HOME: join(root, 'open'), TMPDIR: join(root, 'tmp') };
    const { stdout, stderr } = await laminar(['doctor'], { env });
    expect(stdout).toContain(`\ncache     ${join(root, 'tmp', `laminar-${process.getuid!()}`)}`);
    expect(stdout).toContain(`\n          not used: ${join(root, 'open')}: other users may write into it`);
    expect(stderr).toBe('');
  });

  it('fails in one line where no adapter can be had', async () => {
    const env = { ...withoutDriver, XDG_CACHE_HOME: '/dev/null', TMPDIR: '/dev/null' };
    const doctor = await laminar(['doctor', '--json'], { env });
    expect(JSON.parse(doctor.stdout)).toMatchObject({ adapter: null });
    const cwd = await temporaryFolder();
    const profile = await laminar(['profile'], { cwd, env });
    for (const { stderr, code } of [doctor, profile]) {
      expect(stderr).toMatch(
        /^laminar: no WebGPU adapter.*unpacked anywhere \(\/dev\/null.*XDG_CACHE_HOME.*\n$/,
      );
      expect(code).toBe(1);
    }
  });
});
