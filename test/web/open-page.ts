import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Download, Page } from 'playwright-core';
import { unpackChromium } from '../support/chromium.ts';
import type { PageServer } from './page-server.ts';

/** How long a run may take on a busy machine without a GPU. */
const PATIENCE = 600_000;

/** A name of this machine that browsers do not trust as they trust localhost. */
export const plainHost = 'laminar.test';

let shared: Promise<Browser> | undefined;

/** The Chromium of all tests in this process, which ends with it. Each visit has a context of its own. */
export function sharedBrowser(): Promise<Browser> {
  return (shared ??= openBrowser());
}

/** A Chromium for one test. @param hasAdapter false for one whose WebGPU finds no adapter */
export async function openBrowser(hasAdapter = true): Promise<Browser> {
  const launch = await unpackChromium();
  const args = launch.args.filter((flag) => hasAdapter || !/webgpu|vulkan/i.test(flag));
  return chromium.launch({
    ...launch,
    args: [...args, `--host-resolver-rules=MAP ${plainHost} 127.0.0.1`],
    headless: true,
    timeout: PATIENCE,
  });
}

export interface VisitOptions {
  /** Another address of the page. */
  readonly address?: string;
  /** False for pages whose engine never answers, and so computes nothing. */
  readonly hasEngine?: boolean;
}

/** Ends that browser; the next visit starts another. A launch costs much less than a page. */
export async function endSharedBrowser(): Promise<void> {
  const browser = await shared;
  shared = undefined;
  await browser?.close();
}

/** For a page's initial script: a worker that never answers. */
export function silenceWorkers(): void {
  globalThis.Worker = class extends EventTarget {
    postMessage(): void {}
    terminate(): void {}
  } as unknown as typeof Worker;
}

/** One visit of the page: what a user sees and does. */
export class Visit {
  /** What the browser complained of: errors of scripts, refusals of the page's policy. */
  readonly complaints: string[] = [];
  /** Addresses that were asked for, on whatever host. */
  readonly requests: string[] = [];

  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {}

  static async open(browser: Browser, server: PageServer, options: VisitOptions = {}): Promise<Visit> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const visit = new Visit(await context.newPage(), context);
    const { page } = visit;
    if (options.hasEngine === false) await context.addInitScript(silenceWorkers);
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => visit.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') visit.complaints.push(message.text());
    });
    page.on('request', (request) => visit.requests.push(request.url()));
    await page.goto(options.address ?? server.address);
    return visit;
  }

  /** Chooses token ids instead of a text. */
  async giveIds(ids: unknown): Promise<void> {
    await this.page.locator('#text-kind').selectOption('ids');
    await this.page.getByLabel('An array, or').fill(JSON.stringify(ids));
  }

  /** Fills a field of the form, be it among the options. */
  async fill(label: string, value: string): Promise<void> {
    const options = this.page.locator('#options');
    if ((await options.getAttribute('open')) === null) await options.locator('summary').click();
    await this.page.getByLabel(label, { exact: true }).fill(value);
  }

  /** Presses Run and waits for the end of it. @returns the sentence about what went wrong, or nothing */
  async run(): Promise<string | undefined> {
    await this.page.getByRole('button', { name: 'Run', exact: true }).click();
    return this.end();
  }

  /** Waits until whatever was started has ended. */
  async end(): Promise<string | undefined> {
    const { page } = this;
    const error = page.getByRole('alert');
    await page.locator('#stop-run:disabled').waitFor({ state: 'attached' });
    await page.locator('#start-run:enabled').waitFor();
    return (await error.isVisible()) ? ((await error.textContent()) ?? '') : undefined;
  }

  status(): Promise<string | null> {
    return this.page.locator('#status').textContent();
  }

  /** Presses a button that downloads a file, and reads it. */
  async download(button: string | ReturnType<Page['locator']>): Promise<Buffer> {
    const found =
      typeof button === 'string' ? this.page.getByRole('button', { name: button, exact: true }) : button;
    // By the keyboard: figures that are still being drawn move the page under a pointer.
    const [download] = await Promise.all([this.page.waitForEvent('download'), found.press('Enter')]);
    return readDownload(download);
  }

  /** The table's numbers: per layer, the cells of the real and then of the shuffled sequence. */
  async table(): Promise<string[][]> {
    const rows = await this.page.locator('#table tbody tr').all();
    return Promise.all(rows.map((row) => row.locator('td').allTextContents()));
  }
}

async function readDownload(download: Download): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'laminar-download-'));
  try {
    const path = join(folder, download.suggestedFilename());
    await download.saveAs(path);
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
