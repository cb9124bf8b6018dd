import { figures, reportFigures } from '../analysis/figures.ts';
import { grouped } from '../analysis/quantities.ts';
import type { Report } from '../analysis/report.ts';
import { countedComponents } from '../analysis/threshold.ts';
import { addDownloads, downloadFigure } from './downloads.ts';
import { button, create, element } from './elements.ts';
import { FigureView } from './figure-view.ts';
import { layerTable } from './layer-table.ts';
import type { PageRun } from './page-run.ts';

/** What one run gave, on the page: summary, figures, table and downloads. */
export class Results {
  readonly #section = element('results', HTMLElement);
  readonly #layer = element('layer', HTMLSelectElement);
  #views: FigureView[] = [];
  #run: PageRun | undefined;

  /**
   * @param onStates asks for the states of the run that is shown
   * @param onError told what kept a figure from being downloaded
   */
  constructor(
    private readonly onStates: () => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#layer.addEventListener('change', () => this.#showLayer(Number(this.#layer.value)));
  }

  /** Shows a run in place of the last one. */
  show(run: PageRun, { isSaved, isBundled }: { isSaved: boolean; isBundled: boolean }): void {
    this.#clear();
    this.#run = run;
    const { report } = run;
    this.#section.hidden = false;
    element('summary', HTMLElement).textContent = summary(report);
    element('saved-note', HTMLElement).hidden = !isSaved;
    element('bundled-note', HTMLElement).hidden = !isBundled;
    const middle = Math.floor(report.model.layers / 2);
    this.#layer.replaceChildren(
      ...report.sequences.real.layers.map(({ layer }) =>
        create('option', { value: String(layer), selected: layer === middle }, String(layer)),
      ),
    );
    element('table', HTMLElement).replaceChildren(layerTable(report, (layer) => this.#choose(layer)));
    addDownloads(element('downloads', HTMLElement), run, this.onStates);
    this.#showLayer(middle);
  }

  #clear(): void {
    for (const view of this.#views) view.dispose();
    this.#views = [];
    this.#section.hidden = true;
  }

  #addView(): FigureView {
    const download = (ending: 'svg' | 'png') =>
      button(ending.toUpperCase(), () => {
        if (view.figure) downloadFigure(view.figure, ending).catch(this.onError);
      });
    const view = new FigureView({
      onLayer: (layer) => this.#choose(layer),
      onError: this.onError,
      buttons: [download('svg'), download('png')],
    });
    element('figures', HTMLElement).append(view.element);
    return view;
  }

  /** A layer was clicked, in a figure or in the table. */
  #choose(layer: number): void {
    this.#layer.value = String(layer);
    this.#showLayer(layer);
  }

  #showLayer(layer: number): void {
    const { report, spectra } = this.#run!;
    for (const row of element('table', HTMLElement).querySelectorAll('tbody tr')) {
      const isChosen = row.getAttribute('data-layer') === String(layer);
      row.classList.toggle('chosen', isChosen);
      row.querySelector('button')!.setAttribute('aria-pressed', String(isChosen));
    }
    const drawn = spectra ? figures(report, spectra, { layer }) : reportFigures(report);
    if (this.#views.length === 0) this.#views = drawn.map(() => this.#addView());
    for (const [index, view] of this.#views.entries()) view.show(drawn[index]!);
  }
}

function summary({ model, text, threshold, sequences, adapter, timings_ms: timings }: Report): string {
  const length = sequences.real.ids.length;
  const window = text
    ? `tokens ${grouped(text.start)} to ${grouped(text.start + length - 1)} of ${text.source}`
    : `${length} token ${length === 1 ? 'id' : 'ids'}`;
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
  return (
    `${model.id} (${model.architecture}, ${model.layers} layers of width ${model.width}), ${window}. ` +
    `Effective dimension: ${countedComponents(threshold)}. ` +
    `Load ${seconds(timings.load)}, forward ${seconds(timings.forward)}, spectrum ${seconds(timings.spectrum)}, on ` +
    `${adapter.description}${adapter.software ? ' (no hardware GPU: the CPU computes)' : ''}.`
  );
}
