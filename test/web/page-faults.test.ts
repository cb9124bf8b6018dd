import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageFolder } from './build-page.ts';
import { endSharedBrowser, sharedBrowser, Visit } from './open-page.ts';
import { PageServer } from './page-server.ts';

/** What the page's worker is told to do wrong: at a call, so many calls from now. */
interface Fault {
  readonly call: string;
  readonly after: number;
  readonly kind: 'throws' | 'rejects' | 'out of memory' | 'lost' | 'hangs' | 'worker throws';
}

/** Goes before the worker's script: fails calls of the device as the page's channel says. */
function injectFaults(): void {
  let fault: (Fault & { left: number }) | undefined;
  let refused: GPUError | undefined;
  const channel = new BroadcastChannel('faults');
  channel.onmessage = ({ data }: MessageEvent<Fault>) => {
    fault = { ...data, left: data.after };
    channel.postMessage('armed');
  };
  const wrap = (owner: object, call: string, deviceOf: (owner: unknown) => GPUDevice | undefined): void => {
    const methods = owner as Record<string, (...given: unknown[]) => unknown>;
    const real = methods[call]!;
    methods[call] = function (...given: unknown[]): unknown {
      if (fault?.call !== call || fault.left-- > 0) return real.apply(this, given);
      const { kind } = fault;
      fault = undefined;
      if (kind === 'throws') throw new RangeError(`injected into ${call}`);
      if (kind === 'rejects')
        return Promise.reject(new DOMException(`injected into ${call}`, 'OperationError'));
      if (kind === 'out of memory') refused = new GPUOutOfMemoryError(`injected into ${call}`);
      if (kind === 'lost') deviceOf(this)!.destroy();
      if (kind === 'hangs') {
        channel.postMessage('hangs');
        return new Promise(() => undefined);
      }
      if (kind === 'worker throws') {
        setTimeout(() => {
          throw new Error(`injected into ${call}`);
        });
        return new Promise(() => undefined);
      }
      return real.apply(this, given);
    };
  };
  let device: GPUDevice | undefined;
  const { createShaderModule, popErrorScope } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (...given) {
    device = this; // eslint-disable-line @typescript-eslint/no-this-alias -- the queue does not say whose it is
    return createShaderModule.apply(this, given);
  };
  GPUDevice.prototype.popErrorScope = async function () {
    const error = await popErrorScope.call(this);
    const told = error ?? refused ?? null;
    if (told === refused) refused = undefined;
    return told;
  };
  wrap(GPUAdapter.prototype, 'requestDevice', () => undefined);
  for (const call of ['createBuffer', 'createComputePipelineAsync', 'createBindGroup'])
    wrap(GPUDevice.prototype, call, (owner) => owner as GPUDevice);
  wrap(GPUQueue.prototype, 'writeBuffer', () => device);
  wrap(GPUBuffer.prototype, 'mapAsync', () => device);
}

let browser: Browser;
let server: PageServer;
beforeAll(async () => {
  browser = await sharedBrowser();
  const worker = (await readdir(join(pageFolder, 'assets'))).find((name) => /^worker-.*\.js$/.test(name))!;
  const script = await readFile(join(pageFolder, 'assets', worker), 'utf8');
  const replaced = new TextEncoder().encode(`(${String(injectFaults)})();${script}`);
  server = await PageServer.start({ replaced: new Map([[`assets/${worker}`, replaced]]) });
});
afterAll(async () => {
  // Its GPU process was crashed.
  await endSharedBrowser();
  await server.stop();
});

/** Crashes the GPU's process in the midst of a run of tokens of a text; the form is as before, then. */
async function crashGpu(visit: Visit): Promise<void> {
  const { page } = visit;
  const session = await browser.newBrowserCDPSession();
  await page.locator('#text-kind').selectOption('bundled');
  // Work for much longer than until the crash.
  await visit.fill('Length', '64');
  await visit.fill('Shuffles', '10');
  await page.locator('#start-run').click();
  await page
    .locator('#progress-forward + output')
    .filter({ hasText: /^[1-9]/ })
    .waitFor();
  await session.send('Browser.crashGpuProcess');
  expect(await visit.end()).toMatch(/ GPU.*; run again\.$/);
  await visit.fill('Shuffles', '1');
  await page.locator('#text-kind').selectOption('ids');
}

test('whatever fails or hangs in the worker, the page says so in a sentence, and the next run is right', async () => {
  const visit = await Visit.open(browser, server);
  const { page } = visit;
  const arm = (fault: Fault) =>
    page.evaluate(
      (given) =>
        new Promise((resolve) => {
          const channel = new BroadcastChannel('faults');
          channel.onmessage = resolve;
          channel.postMessage(given);
        }),
      fault,
    );
  await visit.giveIds([5, 17, 300, 5, 8, 9]);
  expect(await visit.run()).toBeUndefined();
  const right = await visit.table();
  const wrong = async (fault: Fault, sentence: RegExp): Promise<void> => {
    const what = `${fault.call} ${fault.kind}`;
    await arm(fault);
    expect(await visit.run(), what).toMatch(sentence);
    expect(await page.locator('#start-run').isEnabled()).toBe(true);
  };
  const refusedMemory = /^The GPU refused memory \(injected into createBuffer\); close other programs, or /;
  const again = /^The GPU .*; (close other programs, and )?run again\.$/;
  // While weights are loaded, the forward pass runs, states are read, spectra are measured.
  for (const after of [2, 60]) await wrong({ call: 'createBuffer', after, kind: 'throws' }, again);
  await wrong({ call: 'createBuffer', after: 40, kind: 'out of memory' }, refusedMemory);
  await wrong({ call: 'createBindGroup', after: 5, kind: 'throws' }, again);
  await wrong({ call: 'writeBuffer', after: 3, kind: 'throws' }, again);
  await wrong({ call: 'mapAsync', after: 1, kind: 'rejects' }, /^Could not read .*run again/);
  expect(await visit.run()).toBeUndefined();
  expect(await visit.table()).toEqual(right);

  // Each device that was lost must compile every kernel again: two of them are enough.
  await wrong({ call: 'mapAsync', after: 3, kind: 'lost' }, again);
  // The next run asks for another device.
  await wrong({ call: 'requestDevice', after: 0, kind: 'rejects' }, /gave no device: .*injected/);
  await wrong(
    { call: 'requestDevice', after: 0, kind: 'worker throws' },
    /^The engine's worker failed \(Uncaught Error: injected into requestDevice\); reload the page and try again\.$/,
  );
  // Another worker and another device.
  const noise = page.getByRole('slider', { name: 'Noise' });
  const measures = page.locator('.measures').nth(1);
  await noise.fill('100');
  await measures.filter({ hasText: /effective dimension 2/ }).waitFor();
  await wrong(
    { call: 'createComputePipelineAsync', after: 0, kind: 'rejects' },
    /^The GPU's compiler rejected the kernel .*injected/,
  );
  await crashGpu(visit);

  // A worker that does not stop is ended, and the explainer, which waited for it, asks the next one.
  await arm({ call: 'requestDevice', after: 0, kind: 'hangs' });
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const channel = new BroadcastChannel('faults');
        channel.onmessage = resolve;
        document.querySelector<HTMLElement>('#start-run')!.click();
      }),
  );
  await noise.fill('0');
  await page.locator('#stop-run').click();
  expect(await visit.end()).toBeUndefined();
  expect(await visit.status()).toBe('Stopped.');
  await measures.filter({ hasText: /^rank 1 / }).waitFor();
  expect(await page.locator('#noise-note').textContent()).toMatch(/^Both spectra are computed/);
  expect(await visit.run()).toBeUndefined();
  expect(await visit.table()).toEqual(right);
  await visit.context.close();
});
