import { reportJson } from '../analysis/output-files.ts';
import type { Figure } from '../analysis/figures.ts';
import { profileCsv } from '../analysis/profile-csv.ts';
import { button, create } from './elements.ts';
import { spectraBlob } from './page-run.ts';
import type { PageRun } from './page-run.ts';
import { pagePart } from './page-part.ts';

/** Hands a file to the browser's downloads. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  create('a', { href: address, download: name }).click();
  // The browser has taken the blob by then; an address that stays would hold it as long as the page.
  setTimeout(() => {
    URL.revokeObjectURL(address);
  }, 60_000);
}

/**
 * Puts the buttons of a run's files into a container: those that the command writes.
 * @param onStates called when the states are asked for, which takes another run; undefined if that cannot be
 */
export function addDownloads(
  container: HTMLElement,
  { report, spectra, texts }: PageRun,
  onStates: (() => void) | undefined,
): void {
  const file = (name: string, make: () => Blob) =>
    button(name, () => {
      download(name, make());
    });
  container.replaceChildren(
    file('report.json', () => new Blob([reportJson(report)], { type: 'application/json' })),
    file('profile.csv', () => new Blob([profileCsv(report)], { type: 'text/csv' })),
    ...(spectra ? [file('spectra.safetensors', () => spectraBlob(spectra))] : []),
    ...(texts
      ? [file('tokens.json', () => new Blob([JSON.stringify(texts)], { type: 'application/json' }))]
      : []),
    ...(onStates
      ? [
          button('states.safetensors', onStates, {
            title: 'Runs the model once more, and keeps every hidden state',
          }),
        ]
      : []),
  );
}

/** Downloads a figure as the command draws it. */
export async function downloadFigure({ name, specification }: Figure, ending: 'svg' | 'png'): Promise<void> {
  const { figureSvg } = await pagePart(import('./figure-drawing.ts'));
  const svg = await figureSvg(specification);
  if (ending === 'svg') return download(`${name}.svg`, new Blob([svg], { type: 'image/svg+xml' }));
  const { figurePng } = await pagePart(import('./figure-png.ts'));
  download(`${name}.png`, new Blob([await figurePng(svg)], { type: 'image/png' }));
}
