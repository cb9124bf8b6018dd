import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/analysis/report.ts';
import { readSpectra } from '../../src/web/page-run.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { goldenFiles } from '../support/golden.ts';
import { temporaryFolder } from '../node/temporary-folder.ts';
import { pageFolder } from './build-page.ts';
import { openBrowser, plainHost, sharedBrowser, silenceWorkers, Visit } from './open-page.ts';
import { PageServer } from './page-server.ts';
import { readSaved } from './read-saved.ts';

let server: PageServer;
let visit: Visit;
beforeAll(async () => {
  // A simple host, which sends whole files only.
  server = await PageServer.start({ knowsRanges: false });
  visit = await Visit.open(await sharedBrowser(), server);
});
afterAll(async () => {
  await visit.context.close();
  await server.stop();
});

const chooseModel = (value: string) => visit.page.locator('#model').selectOption(value);
const chooseText = (value: string) => visit.page.locator('#text-kind').selectOption(value);
const fill = (label: string, value: string) => visit.fill(label, value);

test('the explainer measures both clouds, and follows its slider', async () => {
  const measures = visit.page.locator('.measures');
  await measures.filter({ hasText: 'rank 1 · effective dimension 1' }).waitFor();
  await measures.filter({ hasText: 'rank 2 · effective dimension 1' }).waitFor();
  await visit.page.getByRole('slider', { name: 'Noise' }).fill('100');
  await measures.filter({ hasText: 'rank 2 · effective dimension 2' }).waitFor();
});

test('by keyboard alone: the middle of the bundled text, with the golden numbers', async () => {
  const { page } = visit;
  await page.evaluate(() => {
    const canvas = document.querySelector('.canvas')!;
    const seen = ((window as unknown as { seen: string[] }).seen = []) as string[];
    new MutationObserver(() => seen.push(canvas.getAttribute('aria-label')!)).observe(canvas, {
      attributeFilter: ['aria-label'],
    });
  });
  await page.locator('#model').focus();
  await page.keyboard.type('alice-pythia');
  for (
    let tabs = 0;
    !(await page.locator('#start-run').evaluate((run) => run === document.activeElement));
    tabs++
  ) {
    expect(tabs).toBeLessThan(20);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  const focused = () => page.evaluate(() => document.activeElement?.id);
  expect(await focused()).toBe('stop-run');
  expect(await visit.end()).toBeUndefined();
  expect(await focused()).toBe('results-title');
  const report = JSON.parse(String(await visit.download('report.json'))) as Report;
  const { sequences, thresholds } = await readExpected('alice-pythia');
  const at = thresholds.indexOf(95);
  expect(report.sequences.real.ids).toEqual([...sequences[0]!.ids]);
  expect(report.sequences.real.layers.map((layer) => layer.effective_dimension)).toEqual(
    sequences[0]!.effective.map((ofLayer) => ofLayer[at]),
  );
  const { real: spectra } = await readSpectra(new Uint8Array(await visit.download('spectra.safetensors')));
  for (const [layer, expected] of sequences[0]!.spectra.entries())
    expected.forEach((value, index) => {
      const allowed = Math.max(1e-5 * value, 2e-7 * expected[0]!);
      expect(Math.abs(spectra![layer]![index]! - value)).toBeLessThanOrEqual(allowed);
    });
  // The picture grew layer by layer while it ran.
  const seen = await page.evaluate(() => (window as unknown as { seen: string[] }).seen);
  const running = seen.filter((label) => label.includes('running'));
  const grown = running.map((label) => /Real: ([^.]*)\./.exec(label)![1]!.replace(/(, –)+$/, ''));
  const whole = report.sequences.real.layers.map((layer) => layer.effective_dimension).join(', ');
  expect(new Set(grown).size).toBeGreaterThanOrEqual(report.model.layers + 2);
  expect(grown.filter((part) => part !== '–' && !whole.startsWith(part))).toEqual([]);
  // What shuffling changes stands next to it.
  const { real, shuffled } = report.sequences;
  expect(await page.locator('#finding td:last-child').allTextContents()).toEqual([
    real.loss!.mean.toFixed(2),
    shuffled.loss!.mean.toFixed(2),
  ]);
  expect(report.text).toMatchObject({
    source: 'weights/text/alice.txt',
    tokens: 57035,
    start: 28517,
    length: 256,
  });
  expect(report.model).toMatchObject({ id: 'alice-pythia', dtype: 'F16', revision: null });
  // The saved run that the page begins with is what a run gives today.
  const saved = (await readSaved('alice-pythia')).report;
  expectNear(report, { ...saved, adapter: report.adapter, timings_ms: report.timings_ms }, 'report');
});

/** Holds every field of `saved` against `fresh`, numbers to a relative 1e-3. */
function expectNear(fresh: unknown, saved: unknown, where: string): void {
  if (typeof saved === 'number')
    expect(Math.abs(Number(fresh) - saved), where).toBeLessThanOrEqual(
      1e-3 * Math.max(0.01, Math.abs(saved)),
    );
  else if (typeof saved !== 'object' || saved === null) expect(fresh, where).toBe(saved);
  else
    for (const [name, value] of Object.entries(saved))
      expectNear((fresh as Record<string, unknown>)[name], value, `${where}.${name}`);
}

test('a click on a figure, a row of the table and the list each choose the layer', async () => {
  const { page } = visit;
  const spectrum = page.locator('#figures .subtitle').nth(1);
  await page.locator('#layer').selectOption('2');
  await spectrum.filter({ hasText: 'layer 2 of 6' }).waitFor();
  await page.getByTitle('Show the spectrum of layer 5').press('Enter');
  await spectrum.filter({ hasText: 'layer 5 of 6' }).waitFor();
  const effective = page.locator('#figures figure').last();
  // Figures are drawn when they come near the window.
  await effective.scrollIntoViewIfNeeded();
  const drawing = effective.locator('svg');
  const box = (await drawing.boundingBox())!;
  // The x axis begins right of the left axis' labels: its first place is the embedding.
  await drawing.click({ position: { x: box.width * 0.1, y: box.height * 0.4 } });
  await spectrum.filter({ hasText: 'layer 0 of 6' }).waitFor();
  await expect
    .poll(() => effective.locator('.tooltip:visible').textContent())
    .toMatch(/Layer0Realeffective dimension \d+, [\d.]+% of rank \d+/);
  expect(await page.locator('#table tr.chosen th').textContent()).toBe('0');
});

test('each token shows how sure the model is, and a layer why its number is what it is', async () => {
  const { page } = visit;
  const { report, texts } = await readSaved('alice-pythia');
  const { sequences } = report;
  expect(JSON.parse(String(await visit.download('tokens.json')))).toEqual(texts);
  const strips = page.locator('.tokens');
  expect(await strips.nth(0).textContent()).toMatch(
    /^_ the same thing with you,·” said the Hatter, and here the⏎/,
  );
  const spans = strips.nth(1).locator('span');
  expect(await spans.count()).toBe(256);
  const value = sequences.shuffled.max_log_softmax!.values[7]!;
  expect(await spans.nth(7).getAttribute('style')).toBe(`--sure: ${Math.exp(value).toFixed(3)};`);
  await spans.nth(7).hover();
  const floating = page.locator('#floating');
  await expect.poll(() => floating.textContent()).toContain(`probability ${Math.exp(value).toFixed(3)}`);

  // The last layer stands at the right of the picture.
  const box = (await page.locator('.canvas').boundingBox())!;
  await page.locator('.canvas').hover({ position: { x: box.width - 5, y: box.height / 2 } });
  await expect.poll(() => floating.textContent()).toContain('layer 6');

  const layer = sequences.real.layers[4]!;
  const carrier = layer.component_1!.tokens[0]!;
  await page.getByTitle('Show the spectrum of layer 4').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Shift+Tab');
  await expect.poll(() => floating.textContent()).toContain('layer 4');
  const said = await floating.textContent();
  expect(said).toContain(`${(100 * layer.component_1!.share).toFixed(1)}%`);
  expect(said).toContain(`(${carrier.token})`);
  expect(said).toContain(`#${layer.component_1!.dimensions[2]!.dimension}`);
  await page.keyboard.press('Escape');
  expect(await floating.isVisible()).toBe(false);
  await page.getByTitle('Show the spectrum of layer 4').press('Enter');
  expect(await page.locator('#layer-details').textContent()).toBe(said);
  const marked = await strips
    .nth(0)
    .locator('.carrier')
    .evaluateAll((all) => all.map((span) => Number((span as HTMLElement).dataset['token'])));
  expect(marked.sort()).toEqual(layer.component_1!.tokens.map(({ token }) => token).sort());
});

test('another threshold is shown without a new run', async () => {
  const { page } = visit;
  const { sequences, thresholds } = await readExpected('alice-pythia');
  const at = thresholds.findIndex((threshold) => threshold < 95 && threshold >= 50);
  await page.getByRole('slider', { name: 'Variance to hold' }).fill(String(thresholds[at]));
  const effective = sequences[0]!.effective.map((ofLayer) => String(ofLayer[at]));
  expect((await visit.table()).map(([dimension]) => dimension)).toEqual(effective);
  expect(await page.locator('#picture .number').allTextContents()).toEqual(effective);
  const report = JSON.parse(String(await visit.download('report.json'))) as Report;
  expect(report.threshold).toBe(thresholds[at]);
  expect(await page.locator('#threshold').inputValue()).toBe(String(thresholds[at]));
  expect(await page.locator('#form-link').getAttribute('href')).toBe(
    `#model=alice-pythia&threshold=${thresholds[at]}`,
  );
});

test('runs are laid over each other: kept ones, and those that someone sent', async () => {
  const { page } = visit;
  const names = page.locator('#kept-runs li span');
  const keep = page.getByRole('button', { name: 'Keep this run' });
  await keep.press('Enter');
  await expect.poll(() => names.allTextContents()).toEqual(['alice-pythia']);
  await keep.press('Enter');
  await expect.poll(() => names.allTextContents()).toEqual(['alice-pythia', 'alice-pythia (a copy)']);
  expect(await page.locator('#notice').textContent()).toMatch(
    /^alice-pythia \(a copy\) holds the same run as alice-pythia; it is shown once/,
  );
  await page.getByRole('button', { name: 'Delete the run alice-pythia (a copy)' }).press('Enter');
  const saved = (name: string) =>
    fileURLToPath(new URL(`../../src/web/public/saved/alice-gpt2/${name}`, import.meta.url));
  const files = ['report.json', 'spectra.safetensors', 'tokens.json'].map(saved);
  await page.locator('#open-run').setInputFiles(files);
  await expect
    .poll(() => names.allTextContents())
    .toEqual([expect.stringMatching(/^alice-pythia · threshold \d+%$/), 'alice-gpt2 · threshold 95%']);
  await expect.poll(() => page.locator('#summary').textContent()).toMatch(/^alice-gpt2 /);
  expect(await page.locator('#notice').textContent()).toMatch(/^The thresholds differ/);
  const figure = page.locator('#comparison figure').first();
  await figure.scrollIntoViewIfNeeded();
  await figure.locator('svg').waitFor();
  expect(await figure.locator('h3').textContent()).toMatch(/^effective dimension/i);
  expect(String(await visit.download('comparison.csv')).split('\n')).toHaveLength(2 * 2 * 7 + 2);

  await page.locator('#open-run').setInputFiles(saved('tokens.json'));
  await page.getByRole('alert').filter({ hasText: 'Choose a report.json' }).waitFor();
  await page.getByRole('button', { name: 'Show alice-pythia' }).click();
  await expect.poll(() => page.locator('#summary').textContent()).toMatch(/^alice-pythia /);
  await page.getByRole('button', { name: 'Delete the run alice-gpt2' }).click();
  await expect.poll(() => names.allTextContents()).toEqual(['alice-pythia']);
  expect(await page.locator('#comparison figure').count()).toBe(0);
  await fill('Threshold (%)', '95');
});

test('a link fills the form', async () => {
  const page = await visit.context.newPage();
  await page.addInitScript(silenceWorkers);
  const asked = '#model=hub&hub=gpt2-xl&text=pasted&pasted=Down+the+hole.&length=32&seed=7&nothing=1';
  await page.goto(server.address + asked);
  expect(await page.getByLabel('Hub id').inputValue()).toBe('gpt2-xl');
  expect(await page.getByLabel('Your text').inputValue()).toBe('Down the hole.');
  expect(await page.getByLabel('Length').inputValue()).toBe('32');
  expect(await page.getByLabel('Length').isVisible()).toBe(true);
  expect(await page.locator('#form-link').getAttribute('href')).toBe(asked.replace('&nothing=1', ''));
  await page.close();
});

/** Lets the page press its stop button itself, as soon as spectra are measured: a press from outside may come too late. */
const stopDuringSpectra = () =>
  visit.page.evaluate(() => {
    const progress = document.querySelector('#progress')!;
    const observer = new MutationObserver(() => {
      if (!/^[1-9]/.test(progress.querySelector('#progress-spectrum + output')?.textContent ?? '')) return;
      observer.disconnect();
      document.querySelector<HTMLElement>('#stop-run')!.click();
    });
    observer.observe(progress, { childList: true, characterData: true, subtree: true });
  });

test('the stop button stops before the spectra are done, and the page runs again', async () => {
  const { page } = visit;
  // In the midst of the spectra, the longest part.
  await stopDuringSpectra();
  expect(await visit.run()).toBeUndefined();
  expect(await visit.status()).toBe('Stopped.');
  const [done, all] = (await page.locator('#progress-spectrum + output').textContent())!
    .match(/\d+/g)!
    .map(Number);
  expect(done).toBeLessThan(all!);
  await fill('Length', '12');
  expect(await visit.run()).toBeUndefined();
  expect((await visit.table())[1]![1]).toBe('11');
});

describe('other texts', () => {
  test('pasted, dropped as a file, and by URL', async () => {
    const { page } = visit;
    const sentence = 'The White Rabbit was late.';
    await fill('Length', '');
    await fill('Start', '');
    await chooseText('pasted');
    await fill('Your text', sentence);
    expect(await visit.run()).toBeUndefined();
    const pasted = JSON.parse(String(await visit.download('report.json'))) as Report;
    const { tokens } = pasted.text!;
    expect(pasted.text).toMatchObject({ source: 'the pasted text', start: 0, length: tokens });
    expect(pasted.text!.preview).toEqual({ first: sentence, last: sentence });
    expect(await page.locator('body').textContent()).toContain(
      `The pasted text has ${tokens} tokens, fewer than`,
    );

    const dropped = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(['The White Rabbit was late.'], 'rabbit.txt'));
      return transfer;
    });
    await page.dispatchEvent('#form', 'drop', { dataTransfer: dropped });
    expect(await visit.run()).toBeUndefined();
    const fromFile = JSON.parse(String(await visit.download('report.json'))) as Report;
    expect(fromFile.text).toEqual({ ...pasted.text, source: 'rabbit.txt' });
    expect(fromFile.sequences.real.ids).toEqual(pasted.sequences.real.ids);

    await fill('Length', '5');
    await fill('Start', '0');
    await chooseText('url');
    const address = `${server.address}weights/text/alice.txt`;
    await fill('Address (https)', address);
    expect(await visit.run()).toBeUndefined();
    const fromUrl = JSON.parse(String(await visit.download('report.json'))) as Report;
    expect(fromUrl.text).toMatchObject({ source: address, tokens: 57035, start: 0, length: 5 });
  });

  test('a file that is gone: a sentence', async () => {
    const { page } = visit;
    const path = join(await temporaryFolder(), 'rabbit.txt');
    await writeFile(path, 'The White Rabbit');
    await chooseText('file');
    await page.getByLabel('Text file').setInputFiles(path);
    await rm(path);
    expect(await visit.run()).toMatch(/^rabbit\.txt: cannot be read .*; choose a text file again\.$/);
  });

  test.each([
    ['pasted', 'Your text', '', 'Paste a text of at least one token.'],
    ['pasted', 'Your text', 'Late!', /^The pasted text is too short: .*give length \d or fewer/],
    ['url', 'Address (https)', 'rabbit.txt', 'Give an address that begins with https://.'],
    ['url', 'Address (https)', 'http://127.0.0.1:1/none', /cannot be fetched .*paste the text instead\.$/],
    ['ids', 'An array, or {"real": […], "shuffled": […]}', '[1, 2', /it ends early; give all of it/],
    [
      'ids',
      'An array, or {"real": […], "shuffled": […]}',
      '[1, 999999]',
      /token id 1 is 999999, out of the vocabulary/,
    ],
    ['bundled', 'Length', '257', /Length 257 is more than the model's context of 256/],
    ['bundled', 'Length', '1.5', 'Length must be a whole number of at least 1.'],
    ['bundled', 'Threshold (%)', '101', /^Threshold 101 is not a percent; give a number from 0 to 100/],
    ['bundled', 'Threshold (%)', 'most', /^Threshold "most" is not a percent/],
    ['bundled', 'Threshold (%)', '0.95', /^Threshold 0\.95 is at most 1, .* was 95 meant\? .*0\.95%\.$/],
    ['bundled', 'GPU memory (MB)', '1', /GPU memory/],
  ])('%s, %s %s: a sentence that says what to do', async (kind, label, value, sentence) => {
    await chooseText(kind);
    for (const [field, usual] of [
      ['#tokens', '256'],
      ['#start', ''],
      ['#threshold', '95'],
      ['#gpu-memory', ''],
    ] as const)
      if (kind !== 'ids' || !/tokens|start/.test(field)) await visit.page.locator(field).fill(usual);
    await fill(label, value);
    expect(await visit.run()).toMatch(sentence);
    expect(await visit.status()).toBe('');
    await fill(label, '');
  });
});

describe('a folder', () => {
  const chooseFolder = async (files: ReadonlyMap<string, Uint8Array>): Promise<string | undefined> => {
    const folder = join(await temporaryFolder(), 'my-model');
    await mkdir(folder);
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    await chooseModel('folder');
    await visit.page.locator('#folder').setInputFiles(folder);
    await visit.giveIds([...Array(8).keys()]);
    return visit.run();
  };
  const filesOf = async (names: readonly string[]): Promise<Map<string, Uint8Array<ArrayBuffer>>> => {
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const name of names) {
      const source = (await goldenFiles('neox-bf16-sharded').open(name))!;
      files.set(name, await source.read(0, source.size));
    }
    return files;
  };
  const shards = [1, 2, 3].map((shard) => `model-0000${shard}-of-00003.safetensors`);
  const all = ['config.json', 'model.safetensors.index.json', ...shards];

  test('of shards runs, and stays on this machine', async () => {
    const before = visit.requests.length;
    expect(await chooseFolder(await filesOf(all))).toBeUndefined();
    const report = JSON.parse(String(await visit.download('report.json'))) as Report;
    expect(report.model).toMatchObject({ id: 'my-model', dtype: 'BF16' });
    expect(visit.requests.slice(before).filter((address) => !address.startsWith('blob:'))).toEqual([]);
  });

  test('by many shuffles, in several views, with more measures', async () => {
    const { page } = visit;
    await fill('Shuffles', '3');
    await fill('Shuffle blocks', '4');
    await page.getByLabel('Views', { exact: true }).selectOption('all,unit-rows');
    await fill('Without dimensions', '3, 5');
    await page.getByLabel('Measures', { exact: true }).selectOption('isoscore,rankme,alpha_req');
    expect(await chooseFolder(await filesOf(all))).toBeUndefined();
    const report = JSON.parse(String(await visit.download('report.json'))) as Report;
    expect(report.sampling).toEqual({ shuffles: 3, shuffle_blocks: [4], windows: 1 });
    expect(Object.keys(report.bands!)).toEqual(['shuffled', 'block_4']);
    expect(report.measured).toMatchObject({ without_dimensions: [3, 5] });
    const { real } = report.sequences;
    expect(Object.keys(real.views!)).toEqual(['without_dimensions', 'unit_rows']);
    const layer = real.layers[2]!;
    const [, , row] = await visit.table();
    expect(row!.slice(0, row!.length / 2).slice(6)).toEqual([
      layer.isoscore!.toFixed(4).replace('-', '−'),
      layer.rankme!.toFixed(1),
      '–', // eight tokens are too few for a power law
      '–',
    ]);
    const titles = await page.locator('#figures h3').allTextContents();
    expect(titles.slice(-10)).toEqual([
      'Effective dimension against the order that is kept',
      'Singular values of layer 1 in each view',
      'Variance of each component of layer 1 in each view',
      'Cumulative variance of layer 1 in each view',
      'Rank in each view',
      'Effective dimension in each view',
      'Participation ratio in each view',
      'Effective dimension against the order that is kept, in each view',
      'Measures of each layer',
      'Measures of each layer, in each view',
    ]);
    // Views and bands follow the threshold, as the states do.
    const slider = page.getByRole('slider', { name: 'Variance to hold' });
    await slider.fill('60');
    const lower = JSON.parse(String(await visit.download('report.json'))) as Report;
    for (const [view, { layers }] of Object.entries(lower.sequences.real.views!))
      for (const [index, own] of layers.entries()) {
        const before = real.views![view as 'unit_rows']!.layers[index] as { effective_dimension: number };
        expect((own as typeof before).effective_dimension).toBeLessThan(before.effective_dimension);
      }

    // Two runs, their views laid over each other.
    const keep = page.getByRole('button', { name: 'Keep this run' });
    await keep.press('Enter');
    await slider.fill('95');
    await keep.press('Enter');
    const views = page.getByLabel('View of the states');
    await views.selectOption('side by side');
    const compared = page.locator('#comparison figure').first();
    await compared.scrollIntoViewIfNeeded();
    await compared.getByText('unit rows').waitFor();
    const deleting = page.getByRole('button', { name: /^Delete the run / });
    for (const left of [2, 1]) {
      await deleting.last().press('Enter');
      await expect.poll(() => deleting.count()).toBe(left);
    }
    expect(await views.isVisible()).toBe(false);
    await page.locator('#figures figure').last().scrollIntoViewIfNeeded();
    await page.locator('#figures figure').last().locator('svg').waitFor();

    await fill('Shuffle blocks', '4,many');
    expect(await visit.run()).toMatch(/^Shuffle blocks "many" is not a size of blocks/);
    for (const [label, value] of [
      ['Shuffle blocks', ''],
      ['Shuffles', '1'],
      ['Without dimensions', ''],
    ] as const)
      await fill(label, value);
    await page.getByLabel('Views', { exact: true }).selectOption('');
    await page.getByLabel('Measures', { exact: true }).selectOption('');
  });

  test.each([
    [
      'a truncated file',
      (files: Map<string, Uint8Array>) => {
        files.set(shards[1]!, files.get(shards[1]!)!.subarray(0, 5000));
      },
      /model-00002-of-00003\.safetensors: is truncated/,
    ],
    [
      'no safetensors at all',
      (files: Map<string, Uint8Array>) => {
        files.set(shards[0]!, new TextEncoder().encode('<html>Not found</html> and some more'));
      },
      /model-00001-of-00003\.safetensors: is not a safetensors file/,
    ],
    [
      'a missing shard',
      (files: Map<string, Uint8Array>) => void files.delete(shards[2]!),
      /model-00003-of-00003\.safetensors is missing/,
    ],
    [
      'no config.json',
      (files: Map<string, Uint8Array>) => void files.delete('config.json'),
      /has no config\.json/,
    ],
    [
      'an unknown architecture',
      (files: Map<string, Uint8Array>) => {
        files.set('config.json', new TextEncoder().encode('{"model_type": "mamba"}'));
      },
      /model_type mamba is not known/,
    ],
  ])('with %s gets a sentence, and the page stays usable', async (_, damage, sentence) => {
    const files = await filesOf(all);
    damage(files);
    expect(await chooseFolder(files)).toMatch(sentence);
  });
});

test('a narrow window needs no scrolling sideways', async () => {
  await visit.page.setViewportSize({ width: 360, height: 700 });
  await expect.poll(() => visit.page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test('nothing complained', () => {
  // The one address that cannot be reached is a complaint of the browser's own.
  expect(visit.complaints.filter((text) => !/net::ERR_/.test(text))).toEqual([]);
});

test('opened as a file, the page says that it must be served', async () => {
  const page = await visit.context.newPage();
  await page.addInitScript(silenceWorkers);
  await page.goto(pathToFileURL(join(pageFolder, 'index.html')).href);
  const sentence = page.getByText('This page has not started. Opened as a file it cannot: serve its folder');
  await sentence.waitFor();
  await page.goto(server.address);
  await page.locator('#results').waitFor();
  expect(await sentence.count()).toBe(0);
  await page.close();
});

test.each([
  [
    'no adapter',
    () => openBrowser(false),
    undefined,
    'The browser offers no WebGPU adapter; check that hardware acceleration is switched on.',
  ],
  [
    'no WebGPU, as over plain http',
    sharedBrowser,
    plainHost,
    /^This browser has no WebGPU; use a current Chrome, .* over https\.$/,
  ],
])('with %s the page says so, and stays', async (_, open, host, sentence) => {
  const bare = await open();
  const address = host && server.address.replace('127.0.0.1', host);
  const own = await Visit.open(bare, server, address ? { address } : {});
  const note = own.page.locator('#noise-note');
  await expect.poll(() => note.textContent()).toMatch(sentence);
  // What was saved is there to see.
  expect(await own.page.locator('#notice').textContent()).toMatch(
    /The runs of the bundled models below were saved\.$/,
  );
  await expect.poll(() => own.table()).toHaveLength(7);
  expect(await own.run()).toMatch(sentence);
  expect(await own.page.locator('#start-run').isEnabled()).toBe(true);
  await own.context.close();
  if (bare !== (await sharedBrowser())) await bare.close();
});
