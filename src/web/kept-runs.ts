import { reportJson } from '../analysis/output-files.ts';
import { forget, KeptBlocks, listKept } from './kept-blocks.ts';
import { readRun, spectraBlob } from './page-run.ts';
import type { PageRun } from './page-run.ts';

/** A run that stays for the next visit; the files are those that the command leaves in a folder. */
export interface KeptRun {
  /** Keys ascend with time. */
  readonly key: string;
  readonly run: PageRun;
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** @returns whether the browser keeps it */
export async function keepRun({ key, run }: KeptRun): Promise<boolean> {
  const { report, spectra, texts } = run;
  const blocks = await KeptBlocks.open('run', key);
  if (spectra)
    await blocks.put('spectra.safetensors', new Uint8Array(await spectraBlob(spectra).arrayBuffer()));
  if (texts) await blocks.put('tokens.json', bytesOf(JSON.stringify(texts)));
  return blocks.put('report.json', bytesOf(reportJson(report)));
}

export const forgetRun = (key: string) => forget('run', key);

/** The runs of earlier visits, the oldest first; what cannot be read any more is left out. */
export async function readKeptRuns(): Promise<KeptRun[]> {
  const kept = await listKept('run');
  const read = kept.map(async ({ name: key }): Promise<KeptRun[]> => {
    const blocks = await KeptBlocks.open('run', key);
    const text = async (name: string) => {
      const bytes = await blocks.get(name);
      return bytes && new TextDecoder().decode(bytes);
    };
    const report = await text('report.json');
    if (report === undefined) return [];
    try {
      const spectra = await blocks.get('spectra.safetensors');
      const run = await readRun({ report, spectra, texts: await text('tokens.json') }, 'report.json');
      return [{ key, run }];
    } catch {
      return [];
    }
  });
  return (await Promise.all(read)).flat().sort((a, b) => (a.key < b.key ? -1 : 1));
}
