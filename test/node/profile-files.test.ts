import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { figureNames } from '../../src/analysis/figures.ts';
import { reportJson } from '../../src/analysis/output-files.ts';
import { profileCsv } from '../../src/analysis/profile-csv.ts';
import { FileSet } from '../../src/node/file-set.ts';
import { profileFileNames, writeProfileFiles } from '../../src/node/profile-files.ts';
import { makeReport } from '../support/report-fixture.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('leaves no figure of the run that was there before, which had one more', async () => {
  const folder = await temporaryFolder();
  const sequence = { ids: [5, 7], maxLogSoftmax: [-1, -2], spectra: [Float32Array.of(4, 0)] };
  const report = makeReport(sequence, sequence, 4);
  const spectra = { real: sequence.spectra, shuffled: sequence.spectra };
  const options = { signal: new AbortController().signal, onProgress: () => undefined };
  const write = async () => {
    await writeProfileFiles(await FileSet.open(folder, profileFileNames), report, spectra, options);
  };
  const drawn = async () => (await readdir(join(folder, 'figures'))).sort();
  const filesOf = (names: readonly string[]) =>
    names.flatMap((name) => [`${name}.png`, `${name}.svg`]).sort();

  await write();
  const usual = figureNames.slice(0, 6);
  expect(await drawn()).toEqual(filesOf(usual));
  for (const name of ['real', 'shuffled'] as const) report.sequences[name].max_log_softmax = null;
  await write();
  expect(await drawn()).toEqual(filesOf(usual.slice(1)));
  expect((await readdir(folder)).sort()).toEqual([
    'figures',
    'profile.csv',
    'report.json',
    'spectra.safetensors',
  ]);
  expect(await readFile(join(folder, 'report.json'), 'utf8')).toBe(reportJson(report));
  expect(await readFile(join(folder, 'profile.csv'), 'utf8')).toBe(profileCsv(report));
});
