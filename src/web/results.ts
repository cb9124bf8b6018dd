import { figures, reportFigures } from '../analysis/figures.ts';
import { counted, grouped } from '../analysis/quantities.ts';
import { reportAtThreshold } from '../analysis/report-threshold.ts';
import type { Report, SequenceName } from '../analysis/report.ts';
import { countedComponents } from '../analysis/threshold.ts';
import { addDownloads, downloadFigure } from './downloads.ts';
import { button, create, element } from './elements.ts';
import { FigureView } from './figure-view.ts';
import { floating } from './floating.ts';
import { layerDetails } from './layer-details.ts';
import { layerTable } from './layer-table.ts';
import type { PageRun } from './page-run.ts';
import { TokenStrip } from './token-strip.ts';
import type { StripSequence } from './token-strip.ts';

export interface RunKind {
  /** It came with the page. */
  readonly isSaved: boolean;
  /** Its model did. */
  readonly isBundled: boolean;
  /** It can be run once more. */
  readonly hasRequest: boolean;
}

export interface ResultsOptions {
  /** Asks for the states of the run that is shown. */
  readonly onStates: () => void;
  /** The run is to be kept as it is shown. */
  readonly onKeep: (run: PageRun) => void;
  /** Another threshold is shown, in percent. */
  readonly onThreshold: (threshold: number) => void;
  /** Told what kept a figure from being drawn or downloaded. */
  readonly onError: (error: unknown) => void;
}

/** What one run gave, on the page: summary, figures, table and downloads. */
export class Results {
  readonly #section = element('results', HTMLElement);
  readonly #threshold = element('shown-threshold', HTMLInputElement);
  #hasStates = false;
  readonly #layer = element('layer', HTMLSelectElement);
  readonly #table = element('table', HTMLElement);
  readonly #tokens = new TokenStrip(element('strips', HTMLElement));
  #views: FigureView[] = [];
  /** As it was run, and as the threshold shows it. */
  #whole: PageRun | undefined;
  #run: PageRun | undefined;
  #chosen = 0;

  constructor(private readonly options: ResultsOptions) {
    this.#threshold.addEventListener('input', () => {
      this.showAt(this.#threshold.valueAsNumber);
      options.onThreshold(this.#threshold.valueAsNumber);
    });
    element('keep-run', HTMLButtonElement).addEventListener('click', () => {
      if (this.#run) options.onKeep(this.#run);
    });
    this.#layer.addEventListener('change', () => this.#showLayer(Number(this.#layer.value)));
    this.#explainRows();
  }

  /** Shows a run in place of the last one; if it is the same again, its figures and the chosen layer stay. */
  show(run: PageRun, { isSaved, isBundled, hasRequest }: RunKind): void {
    const { report, spectra } = run;
    if (run !== this.#whole) {
      this.#disposeViews();
      this.#chosen = Math.floor(report.model.layers / 2);
    }
    this.#whole = run;
    this.#section.hidden = false;
    this.#section.classList.remove('stale');
    element('saved-note', HTMLElement).hidden = !isSaved;
    element('bundled-note', HTMLElement).hidden = !isBundled;
    this.#layer.replaceChildren(
      ...report.sequences.real.layers.map(({ layer }) =>
        create('option', { value: String(layer), selected: layer === this.#chosen }, String(layer)),
      ),
    );
    element('threshold-choice', HTMLElement).hidden = !spectra;
    this.#tokens.show({ real: stripOf(run, 'real'), shuffled: stripOf(run, 'shuffled') });
    this.showAt(report.threshold);
    this.#hasStates = hasRequest;
    this.#showDownloads();
  }

  /** The run that is shown, at the threshold that is shown. */
  get run(): PageRun | undefined {
    return this.#run;
  }

  /** Shows the run as it would be at another threshold, from its singular values. */
  showAt(threshold: number): void {
    const run = this.#whole!;
    const { report, spectra } = run;
    this.#run = spectra ? { ...run, report: reportAtThreshold(report, spectra, threshold) } : run;
    this.#threshold.value = String(threshold);
    const percent = `${threshold}%`;
    element('shown-threshold-value', HTMLOutputElement).value = percent;
    this.#threshold.setAttribute('aria-valuetext', percent);
    element('summary', HTMLElement).textContent = summary(this.#run.report);
    this.#table.replaceChildren(layerTable(this.#run.report, (layer) => this.#choose(layer)));
    this.#showLayer(this.#chosen);
    this.#showDownloads();
  }

  #showDownloads(): void {
    addDownloads(
      element('downloads', HTMLElement),
      this.#run!,
      this.#hasStates ? this.options.onStates : undefined,
    );
  }

  /** Shows the details of a layer next to the pointer; without a layer, it hides them. */
  explain(layer: number | undefined, place: { readonly x: number; readonly y: number }): void {
    if (layer === undefined || !this.#run) floating.hide();
    else floating.show(layerDetails(this.#run, layer), place);
  }

  /** Another run has begun: its tokens are shown, and everything else is still of the last one. */
  begin(sequences: Readonly<Record<SequenceName, StripSequence>>): void {
    this.#section.classList.add('stale');
    this.#tokens.show(sequences);
  }

  know(sequence: SequenceName, maxLogSoftmax: ArrayLike<number>): void {
    this.#tokens.know(sequence, maxLogSoftmax);
  }

  /** A row that is pointed at, or has the focus, tells why its numbers are what they are. */
  #explainRows(): void {
    const table = this.#table;
    const rowAt = (target: EventTarget | null) =>
      target instanceof Element ? target.closest<HTMLElement>('tr[data-layer]') : null;
    const explain = (row: HTMLElement, place: { x: number; y: number }) =>
      this.explain(Number(row.dataset['layer']), place);
    table.addEventListener('pointerover', ({ target, clientX: x, clientY: y }) => {
      const row = rowAt(target);
      if (row) explain(row, { x, y });
      else floating.hide();
    });
    table.addEventListener('focusin', ({ target }) => {
      const row = rowAt(target);
      if (!row || !(target as Element).matches(':focus-visible')) return;
      const { left: x, bottom: y } = (target as Element).getBoundingClientRect();
      explain(row, { x, y });
      (target as Element).setAttribute('aria-describedby', floating.id);
    });
    for (const end of ['pointerleave', 'focusout'] as const)
      table.addEventListener(end, () => {
        floating.hide();
      });
  }

  #disposeViews(): void {
    for (const view of this.#views.splice(0)) view.dispose();
  }

  #addView(): FigureView {
    const download = (ending: 'svg' | 'png') =>
      button(ending.toUpperCase(), () => {
        if (view.figure) downloadFigure(view.figure, ending).catch(this.options.onError);
      });
    const view = new FigureView({
      onLayer: (layer) => this.#choose(layer),
      onError: this.options.onError,
      layerNote: (layer) => layerDetails(this.#run!, layer),
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
    this.#chosen = layer;
    const { report, spectra } = this.#run!;
    for (const row of this.#table.querySelectorAll('tbody tr')) {
      const isChosen = row.getAttribute('data-layer') === String(layer);
      row.classList.toggle('chosen', isChosen);
      row.querySelector('button')!.setAttribute('aria-pressed', String(isChosen));
    }
    element('layer-details', HTMLElement).replaceChildren(layerDetails(this.#run!, layer));
    this.#tokens.mark(layer);
    const drawn = spectra ? figures(report, spectra, { layer }) : reportFigures(report);
    if (this.#views.length !== drawn.length) {
      this.#disposeViews();
      this.#views = drawn.map(() => this.#addView());
    }
    for (const [index, view] of this.#views.entries()) view.show(drawn[index]!);
  }
}

function stripOf({ report, texts }: PageRun, name: SequenceName): StripSequence {
  const { ids, layers, max_log_softmax: softmax } = report.sequences[name];
  return { ids, layers, texts: texts?.[name], maxLogSoftmax: softmax?.values };
}

function summary({ model, text, threshold, sequences, adapter, timings_ms: timings }: Report): string {
  const length = sequences.real.ids.length;
  const window = text
    ? `tokens ${grouped(text.start)} to ${grouped(text.start + length - 1)} of ${text.source}`
    : `${length} token ${length === 1 ? 'id' : 'ids'}`;
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
  return (
    `${model.id} (${model.architecture}, ${counted(model.layers, 'layer')} of width ${model.width}), ${window}. ` +
    `Effective dimension: ${countedComponents(threshold)}. ` +
    `Load ${seconds(timings.load)}, forward ${seconds(timings.forward)}, spectrum ${seconds(timings.spectrum)}, on ` +
    `${adapter.description}${adapter.software ? ' (no hardware GPU: the CPU computes)' : ''}.`
  );
}
