import type { Report } from '../analysis/report.ts';
import { readSpectra } from './page-run.ts';
import type { PageRun, TokenTexts } from './page-run.ts';

/**
 * A run of a bundled model that comes with the page, as the command wrote it: there is something to see before anything
 * is computed, and if nothing can be computed.
 * @returns undefined if it cannot be had
 */
export async function fetchSavedRun(model: string): Promise<PageRun | undefined> {
  const file = async (name: string): Promise<Response> => {
    const response = await fetch(`./saved/${model}/${name}`);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return response;
  };
  try {
    const [report, texts, spectra] = await Promise.all([
      file('report.json').then((response) => response.json() as Promise<Report>),
      file('tokens.json').then((response) => response.json() as Promise<TokenTexts>),
      file('spectra.safetensors').then((response) => response.arrayBuffer()),
    ]);
    return { report, texts, spectra: await readSpectra(new Uint8Array(spectra)) };
  } catch {
    return undefined;
  }
}
