// @ts-check
/**
 * Times a forward pass and spectra of alice-gpt2 in Laminar, onnxruntime-web and jax-js, in one browser on one adapter.
 *
 *   npm --prefix bench/peers install && npm run bench:peers
 *
 * Each program's numbers are compared with Laminar's first. Then they run in turn, so that what slows the machine down
 * meets all of them, and the fastest of several runs counts: by the clock, and in CPU time of the browser's processes.
 */
import { createServer } from 'node:http';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { build, runnerImport } from 'vite';

const root = fileURLToPath(new URL('../../', import.meta.url));
const here = join(root, 'bench/peers');
const out = join(root, 'out/peers');
const NAMES = ['laminar', 'onnxruntime-web', 'jax-js'];
const TOKENS = Number(process.argv[2] ?? 64);
const ROUNDS = 5;
/** How far states may lie from Laminar's, relative to their norm, and max log-softmax in nats. */
const NEAR = { states: 1e-5, maxLogSoftmax: 1e-4 };
/** The kernel counts CPU time in these. */
const TICKS = 100;

await build({
  configFile: false,
  root,
  logLevel: 'error',
  build: {
    lib: { entry: join(root, 'src/index.ts'), formats: ['es'], fileName: 'index' },
    outDir: join(out, 'laminar'),
    emptyOutDir: true,
  },
});
const server = createServer((request, response) => {
  const folders = {
    '/laminar/': join(out, 'laminar'),
    '/weights/': join(root, 'weights'),
    '/onnxruntime-web/': join(here, 'node_modules/onnxruntime-web/dist'),
    '/jax-js/': join(here, 'node_modules/@jax-js/jax/dist'),
    '/': here,
  };
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start)) ?? ['/', here];
  const types = {
    '.js': 'text/javascript',
    '.mjs': 'text/javascript',
    '.wasm': 'application/wasm',
    '.json': 'application/json',
  };
  if (path === '/') {
    response
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><script type="module" src="/page.js"></script>');
    return;
  }
  readFile(join(folder, path.slice(prefix.length))).then(
    (bytes) => {
      response
        .setHeader(
          'content-type',
          types[/** @type {keyof types} */ (extname(path))] ?? 'application/octet-stream',
        )
        .end(bytes);
    },
    () => response.writeHead(404).end(),
  );
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());

const { module } = /** @type {{ module: typeof import('../../test/support/chromium.ts') }} */ (
  await runnerImport(join(root, 'test/support/chromium.ts'))
);
const browserServer = await chromium.launchServer({
  ...(await module.unpackChromium()),
  headless: true,
  timeout: 300_000,
});
try {
  const browser = await chromium.connect(browserServer.wsEndpoint());
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForFunction('globalThis.peers');
  const pid = /** @type {number} */ (browserServer.process().pid);
  const real = Array.from({ length: TOKENS }, (_, index) => (7919 * index) % 2048);
  const ids = { real, shuffled: [...real].reverse() };
  await measure(page, pid, browser.version(), ids);
} finally {
  await browserServer.close();
  server.close();
}

/**
 * @param {import('playwright-core').Page} page
 * @param {number} pid
 * @param {string} version of the browser
 * @param {{ real: number[], shuffled: number[] }} ids
 */
async function measure(page, pid, version, ids) {
  /** @type {Record<string, any>} */
  const prepared = {};
  for (const name of NAMES) {
    console.error(`peers: preparing ${name}`);
    const answer = await page.evaluate(
      `peers.prepare(${JSON.stringify(name)}, ${JSON.stringify(Object.values(ids))})`,
    );
    const { states, maxLogSoftmax, singularValues, spectraFault } = /** @type {any} */ (answer);
    const worst = Math.max(...states);
    console.error(
      `peers: states within ${worst.toExponential(1)}, max log-softmax within ${maxLogSoftmax.toExponential(1)}, singular values ${singularValues ? `within ${Math.max(...singularValues).toExponential(1)} of the largest` : `not compared: ${spectraFault}`}`,
    );
    if (!(worst < NEAR.states && maxLogSoftmax < NEAR.maxLogSoftmax))
      throw new Error(`${name} computes other numbers`);
    prepared[name] = answer;
  }
  /** @type {Record<string, { seconds: number, cpu_seconds: number }>} */
  const fastest = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const job of ['forward', 'spectra']) {
      for (const name of NAMES) {
        if (job === 'spectra' && prepared[name].spectraFault !== null) continue;
        const before = await cpuSeconds(pid);
        const seconds = /** @type {number} */ (
          await page.evaluate(`peers.time(${JSON.stringify(name)}, ${JSON.stringify(job)})`)
        );
        const cpu = (await cpuSeconds(pid)) - before;
        const key = `${name} ${job}`;
        const last = fastest[key] ?? { seconds: Infinity, cpu_seconds: Infinity };
        fastest[key] = {
          seconds: Math.min(seconds, last.seconds),
          cpu_seconds: Math.min(cpu, last.cpu_seconds),
        };
      }
    }
    console.error(`peers: round ${round + 1} of ${ROUNDS}`);
  }
  await mkdir(out, { recursive: true });
  const adapter = /** @type {any} */ (
    await page.evaluate(
      '(async () => { const { info } = await navigator.gpu.requestAdapter(); return { vendor: info.vendor, architecture: info.architecture, description: info.description || info.device || `${info.vendor} ${info.architecture}` }; })()',
    )
  );
  const files = [];
  for (const name of NAMES) {
    const result = {
      bench: 'profile',
      date: new Date().toISOString(),
      versions: { ...prepared[name].versions, chromium: version },
      platform: `${process.platform}-${process.arch}`,
      adapter: { ...adapter, software: /swiftshader/i.test(JSON.stringify(adapter)) },
      model: { id: 'alice-gpt2', architecture: 'gpt2', layers: 6, width: 128, dtype: 'F32', resident: true },
      tokens: TOKENS,
      ids,
      repetitions: ROUNDS,
      forward: fastest[`${name} forward`],
      spectrum: fastest[`${name} spectra`] ?? null,
      answers: { mean_max_log_softmax: prepared[name].meanMaxLogSoftmax },
    };
    files.push(join('out/peers', `${name}.json`));
    await writeFile(join(out, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  }
  console.log(`node bench/compare.js ${files.join(' ')}`);
}

/**
 * CPU time of a process and all below it, by /proc; 0 where there is none.
 * @param {number} root
 */
async function cpuSeconds(root) {
  /** @type {Map<number, { parent: number, ticks: number }>} */
  const all = new Map();
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    // The name, in brackets, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    all.set(Number(entry), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
  }
  const isBelow = (/** @type {number} */ pid) => {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  return [...all].reduce((sum, [pid, { ticks }]) => (isBelow(pid) ? sum + ticks / TICKS : sum), 0);
}
