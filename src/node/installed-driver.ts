import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What a look at the installed drivers gave. */
export interface Probe {
  /** Whether Dawn accepted a driver, or whether none could be tried in advance. */
  readonly isWorthLoading: boolean;
  /** What came of it, for a person. */
  readonly outcome: string;
  /** What the drivers, their loader and Dawn printed meanwhile, line by line. */
  readonly said: readonly string[];
  /** The environment variables with which Dawn finds the adapter and prints nothing. */
  readonly environment: Readonly<Record<string, string>>;
}

const require = createRequire(import.meta.url);
const VULKAN_LOADER = 'libvulkan.so.1';
/** Loading a driver takes a second at most; a busy machine takes longer. */
const PATIENCE_MILLISECONDS = 60_000;

/** Where distributions keep the descriptions of Vulkan drivers. */
const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];

/** Where the dynamic linker of the common distributions looks for libraries, besides what its cache lists. */
const LIBRARY_FOLDERS = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/lib',
  '/lib64',
  '/usr/local/lib',
];

/** The beginning of the one line that the probe itself prints. */
const MARK = 'laminar-probe ';

/** What the probe runs: as gpu.ts asks for an adapter, in a process of its own. */
const PROBE = `
const { create } = await import(process.argv[1]);
globalThis.instance = create([]);
const adapter = (await instance.requestAdapter({ powerPreference: 'high-performance' })) ??
  (await instance.requestAdapter({ forceFallbackAdapter: true }));
process.stdout.write('\\n${MARK}' + JSON.stringify(adapter ? adapter.info.description || adapter.info.device || 'an adapter without a name' : null) + '\\n');
`;

/**
 * Asks in a process of its own whether Dawn accepts an installed driver. Drivers, their loader and Dawn write their
 * messages directly to the standard streams, where data and Laminar's own words go; a driver may even crash. So a
 * driver is loaded here only if it worked there.
 */
export async function probeInstalledDriver(): Promise<Probe> {
  const untried = { isWorthLoading: true, outcome: '', said: [], environment: quietEnvironment() };
  if (process.platform !== 'linux') return untried; // Metal and Direct3D come with the system, and are quiet
  const missing = await findMissingLoader();
  if (missing !== undefined) return { ...untried, isWorthLoading: false, outcome: missing };
  const probe = await runProbe(quietEnvironment());
  if (!probe) return untried;
  const isChosen = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].some((name) => process.env[name] !== undefined);
  if (!probe.isWorthLoading || probe.said.length === 0 || isChosen) return probe;
  // One driver computes and another one complains: load only the first.
  for (const driver of await driverDescriptions()) {
    const alone = await runProbe({ ...quietEnvironment(), VK_DRIVER_FILES: driver });
    if (alone?.outcome === probe.outcome && alone.said.length === 0) return { ...alone, said: probe.said };
  }
  return probe;
}

/**
 * Mesa's libraries look for a Wayland display, and complain where XDG_RUNTIME_DIR names none: as on servers, in
 * containers and under sudo. Any absolute path silences them.
 */
function quietEnvironment(): Record<string, string> {
  if (process.env['XDG_RUNTIME_DIR']?.startsWith('/')) return {};
  return { XDG_RUNTIME_DIR: '/nonexistent' };
}

/** @returns undefined if no process can be started, as under Node's permission model */
function runProbe(environment: Readonly<Record<string, string>>): Promise<Probe | undefined> {
  const entry = pathToFileURL(require.resolve('webgpu')).href;
  return new Promise<Probe | undefined>((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PROBE, entry], {
      // NODE_OPTIONS may ask for what would be printed between, and for a debugger's port that is taken.
      env: { ...process.env, ...environment, NODE_OPTIONS: undefined, ELECTRON_RUN_AS_NODE: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MILLISECONDS,
      killSignal: 'SIGKILL',
    });
    const printed = ['', ''];
    for (const [index, stream] of [child.stdout, child.stderr].entries()) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (printed[index] += chunk));
    }
    child.on('error', () => {
      resolve(undefined);
    });
    child.on('close', (code, signal) => {
      const lines = printed
        .join('\n')
        .split('\n')
        .filter((line) => line.trim() !== '');
      const answer = lines.find((line) => line.startsWith(MARK));
      const said = lines.filter((line) => line !== answer);
      const adapter = answer && (JSON.parse(answer.slice(MARK.length)) as string | null);
      const ending = signal ? `crashed with ${signal}` : `failed with exit code ${code}`;
      const outcome = answer === undefined ? ending : (adapter ?? 'Dawn accepts none of those installed');
      resolve({ isWorthLoading: typeof adapter === 'string', outcome, said, environment });
    });
  }).catch(() => undefined);
}

/** Why Dawn could not load Vulkan, or undefined if it could. */
async function findMissingLoader(): Promise<string | undefined> {
  const besideDawn = join(dirname(require.resolve('webgpu')), 'dist', `linux-${process.arch}`);
  const searchPath = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const isThere = [besideDawn, ...searchPath, ...LIBRARY_FOLDERS].some((folder) =>
    existsSync(join(folder, VULKAN_LOADER)),
  );
  if (isThere) return undefined;
  const linkerCache = await readFile('/etc/ld.so.cache', 'latin1').catch(() => '');
  return linkerCache.includes(VULKAN_LOADER) ? undefined : `${VULKAN_LOADER} is not installed`;
}

async function driverDescriptions(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of DRIVER_FOLDERS) {
    const names = await readdir(folder).catch(() => []);
    found.push(...names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name)));
  }
  return found;
}
