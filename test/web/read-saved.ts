import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Report } from '../../src/analysis/report.ts';
import { readSpectra } from '../../src/web/page-run.ts';
import type { PageRun, TokenTexts } from '../../src/web/page-run.ts';

/** The run of a bundled model that comes with the page. */
export async function readSaved(model: string): Promise<PageRun> {
  const file = (name: string) =>
    readFile(fileURLToPath(new URL(`../../src/web/public/saved/${model}/${name}`, import.meta.url)));
  return {
    report: JSON.parse(String(await file('report.json'))) as Report,
    texts: JSON.parse(String(await file('tokens.json'))) as TokenTexts,
    spectra: await readSpectra(new Uint8Array(await file('spectra.safetensors'))),
  };
}
