import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportJson } from '../../src/analysis/output-files.ts';
import type { Report } from '../../src/analysis/report.ts';
import { FileError } from '../../src/engine/errors.ts';
import { claimFolder, folderFor } from '../../src/node/run-folder.ts';
import type { RunIdentity } from '../../src/node/run-folder.ts';
import { makeReport } from '../support/report-fixture.ts';
import { temporaryFolder } from './temporary-folder.ts';

const usual = { seed: 28, threshold: 95 };

describe('claimFolder', () => {
  const sequence = { ids: [5, 7, 5], maxLogSoftmax: [-1, -0.5, -0.25], spectra: [Float32Array.of(4, 2, 2)] };
  const shuffled = { ...sequence, ids: [7, 5, 5] };
  const report = makeReport(sequence, shuffled, 4);
  const run: RunIdentity = {
    id: report.model.id,
    revision: null,
    config: report.model,
    text: report.text,
    ids: { real: Int32Array.from(sequence.ids), shuffled: Int32Array.from(shuffled.ids) },
    hooks: [],
    ...usual,
  };
  const folderWith = async (content: string): Promise<string> => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'report.json'), content);
    return folder;
  };

  it('takes a folder that is not there, is empty or holds the same run', async () => {
    const folder = await temporaryFolder();
    expect(await claimFolder(join(folder, 'new'), run)).toBeUndefined();
    expect(await claimFolder(folder, run)).toBeUndefined();
    expect(await claimFolder(await folderWith(reportJson(report)), run)).toBeUndefined();
    const elsewhere = { ...report.text!, source: 'the/same/alice.txt' };
    expect(
      await claimFolder(await folderWith(reportJson(report)), { ...run, text: elsewhere }),
    ).toBeUndefined();
  });

  it.each<[Partial<RunIdentity>, RegExp]>([
    [{ id: 'other' }, /model alice-gpt2, not other/],
    [{ revision: 'abc' }, /revision none, not abc/],
    [{ config: { ...report.model, layers: 7 } }, /model gpt2 of 0 layers.*, not gpt2 of 7 layers/],
    [{ seed: 29 }, /seed 28, not 29/],
    [{ threshold: 90 }, /threshold 95, not 90/],
    [{ measured: { measures: ['rankme'], views: [], without_dimensions: [] } }, /measures none, not rankme/],
    [
      { sampling: { shuffles: 3, shuffleBlocks: [4, 16], windows: 2 } },
      /sampling 1 shuffle, not 3 shuffles, blocks of 4, 16, 2 windows/,
    ],
    [
      { hooks: ['blocks.*.hook_mlp_out', 'hook_embed'] },
      /activations none, not blocks\.\*\.hook_mlp_out hook_embed/,
    ],
    [{ ids: { real: [5], shuffled: [5] } }, /tokens 3, not 1/],
    [{ text: { ...report.text!, start: 4 } }, /start 28517, not 4/],
    [{ text: { ...report.text!, sha256: 'f' } }, /of another text/],
    [{ text: null }, /start 28517, not none/],
    [{ ids: { ...run.ids, real: [5, 7, 6] } }, /of other tokens/],
    [{ ids: { ...run.ids, shuffled: [5, 5, 7] } }, /of other tokens/],
  ])('refuses another run: %j', async (other, difference) => {
    const content = reportJson(report);
    const folder = await folderWith(content);
    const claim = claimFolder(folder, { ...run, ...other });
    await expect(claim).rejects.toThrow(FileError);
    await expect(claim).rejects.toThrow(difference);
    await expect(claim).rejects.toThrow(/give --out FOLDER to keep both, or --force to overwrite it$/);
    expect(await readFile(join(folder, 'report.json'), 'utf8')).toBe(content);
  });

  it.each(['', '{', '[]', '{}', 'null', JSON.stringify({ model: {} } as Partial<Report>)])(
    'refuses a report.json that is not a report: %s',
    async (content) => {
      const folder = await folderWith(content);
      await expect(claimFolder(folder, run)).rejects.toThrow(/another run \(.*cannot be read\)/);
    },
  );

  it('keeps the files of models of the same name and shape apart', async () => {
    const otherWeights = makeReport(
      { ...sequence, spectra: [Float32Array.of(4, 2.1, 2)] },
      { ...shuffled, spectra: [Float32Array.of(4, 2, 2)] },
      4,
    );
    const folder = join(await temporaryFolder(), 'model');
    const put = async (place: string, content: Report) => {
      await mkdir(place, { recursive: true });
      await writeFile(join(place, 'report.json'), reportJson(content));
    };
    expect(await folderFor(folder, run, report)).toBe(folder);
    await put(folder, report);
    expect(await folderFor(folder, run, report)).toBe(folder);
    expect(await folderFor(folder, run, otherWeights)).toBe(`${folder}-2`);
    await put(`${folder}-2`, makeReport(sequence, shuffled, 4, { threshold: 90 }));
    expect(await folderFor(folder, run, otherWeights)).toBe(`${folder}-3`);
    await put(`${folder}-3`, otherWeights);
    expect(await folderFor(folder, run, otherWeights)).toBe(`${folder}-3`);
    expect(await folderFor(folder, run, report)).toBe(folder);
  });

  it('takes other rounding for the same run', async () => {
    const rounded = { ...sequence, spectra: [Float32Array.of(4, 2.00001, 2)] };
    const folder = await folderWith(reportJson(report));
    expect(await folderFor(folder, run, makeReport(rounded, shuffled, 4))).toBe(folder);
  });
});
