import { compareRuns } from '../analysis/compare/compare.ts';
import { savedReport } from '../analysis/compare/saved-report.ts';
import { viewNames } from '../analysis/views.ts';
import { download, downloadFigure } from './downloads.ts';
import { button, create, element } from './elements.ts';
import { FigureView } from './figure-view.ts';
import { forgetRun, keepRun, readKeptRuns } from './kept-runs.ts';
import type { KeptRun } from './kept-runs.ts';
import { readRun } from './page-run.ts';
import type { PageRun } from './page-run.ts';
import { pageSentence } from './page-words.ts';

export interface RunsViewOptions {
  /** Called with a run that is to be shown. */
  readonly onShow: (run: PageRun) => void;
  readonly onError: (error: unknown) => void;
  readonly onNotice: (sentence: string) => void;
}

/** The runs that are kept, compared; they come from this page, or from files. */
export class RunsView {
  readonly #list = element('kept-runs', HTMLElement);
  readonly #figures = element('comparison', HTMLElement);
  readonly #downloads = element('comparison-downloads', HTMLElement);
  readonly #chosenViews = element('compared-views', HTMLSelectElement);
  #runs: KeptRun[] = [];
  #views: FigureView[] = [];

  constructor(private readonly options: RunsViewOptions) {
    const chooser = element('open-run', HTMLInputElement);
    chooser.addEventListener('change', () => {
      this.open([...(chooser.files ?? [])]).catch(options.onError);
      chooser.value = '';
    });
    this.#chosenViews.addEventListener('change', () => this.#show());
    const section = element('runs', HTMLElement);
    section.addEventListener('dragover', (event) => {
      if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
    });
    section.addEventListener('drop', (event) => {
      event.preventDefault();
      this.open([...(event.dataTransfer?.files ?? [])]).catch(options.onError);
    });
  }

  /** Shows the runs of earlier visits. */
  async begin(): Promise<void> {
    this.#runs = [...(await readKeptRuns()), ...this.#runs];
    this.#show();
  }

  /** Keeps a run with the others. */
  async keep(run: PageRun): Promise<void> {
    const last = this.#runs.at(-1)?.key ?? '';
    // One more than the last, if the clock stands still or was set back.
    const time = Math.max(Date.now(), Number(last.slice(0, 15)) + 1);
    const kept = { key: String(time).padStart(15, '0'), run };
    this.#runs.push(kept);
    this.#show();
    if (!(await keepRun(kept)))
      this.options.onNotice(
        'The browser will not keep the run for the next visit (no room, or a private window); download its files.',
      );
  }

  /**
   * Keeps and shows runs from files: report.json, and spectra.safetensors and tokens.json of the same run.
   * @throws FormatError if a file is not what it should be
   */
  async open(files: readonly File[]): Promise<void> {
    const reports = files.filter(({ name }) => /\.json$/i.test(name) && name !== 'tokens.json');
    if (reports.length === 0)
      throw new Error('Choose a report.json, alone or with the other files of its run.');
    // With several reports, nothing says to which the other files belong.
    const beside = (ending: string) =>
      reports.length === 1 ? files.find(({ name }) => name.endsWith(ending)) : undefined;
    for (const file of reports) {
      const spectra = await beside('.safetensors')?.arrayBuffer();
      const read = { report: await file.text(), texts: await beside('tokens.json')?.text() };
      const run = await readRun({ ...read, spectra: spectra && new Uint8Array(spectra) }, file.name);
      await this.keep(run);
      this.options.onShow(run);
    }
  }

  #show(): void {
    for (const view of this.#views.splice(0)) view.dispose();
    this.#downloads.replaceChildren();
    const saved = this.#runs.map(({ key, run: { report } }) => ({
      source: key,
      report: savedReport(report, 'a run that is kept'),
    }));
    const names = saved.length === 0 ? [] : this.#names(saved);
    const rows = this.#runs.map((kept, index) => {
      const name = names[index]!;
      return create(
        'li',
        {},
        create('span', {}, name),
        button('Show', () => this.options.onShow(kept.run), { ariaLabel: `Show ${name}` }),
        button('Delete', () => this.#delete(kept), { ariaLabel: `Delete the run ${name}` }),
      );
    });
    this.#list.replaceChildren(...(rows.length === 0 ? [create('li', {}, 'No run is kept yet.')] : rows));
    const views = this.#offerViews(saved);
    if (saved.length < 2) return;
    // Notices name the runs as the list does.
    const named = saved.map((run, index) => ({ ...run, source: names[index]! }));
    const compared = compareRuns(named, { views });
    for (const notice of compared.notices) this.options.onNotice(pageSentence(notice));
    for (const figure of compared.figures()) {
      const view = new FigureView({
        onLayer: () => undefined,
        onError: this.options.onError,
        buttons: (['svg', 'png'] as const).map((ending) =>
          button(ending.toUpperCase(), () => {
            downloadFigure(figure, ending).catch(this.options.onError);
          }),
        ),
      });
      this.#figures.append(view.element);
      view.show(figure);
      this.#views.push(view);
    }
    this.#downloads.replaceChildren(
      button('comparison.csv', () => {
        download('comparison.csv', new Blob([compared.csv()], { type: 'text/csv' }));
      }),
    );
  }

  /** Offers the views that any run has. @returns those that are chosen */
  #offerViews(saved: Parameters<typeof compareRuns>[0]): readonly string[] {
    const present = viewNames.filter((view) =>
      saved.some(({ report }) => [...report.sequences.values()].some(({ views }) => views.has(view))),
    );
    const choice = this.#chosenViews;
    const { value: before } = choice;
    const offered = [...present, ...(present.length > 1 ? [present.join()] : [])];
    choice.replaceChildren(
      ...offered.map((value) =>
        create(
          'option',
          { value, selected: value === before },
          value.includes(',') ? 'side by side' : value.replaceAll('_', ' '),
        ),
      ),
    );
    element('compared-views-choice', HTMLElement).hidden = saved.length < 2 || present.length < 2;
    return choice.value.split(',');
  }

  /** What differs between the runs; a copy of a run has the same name. */
  #names(saved: Parameters<typeof compareRuns>[0]): string[] {
    const { runs, labels } = compareRuns(saved);
    return saved.map(({ report }, index) => {
      const place = runs.findIndex((run) => run.source === this.#runs[index]!.key);
      return place < 0 ? `${report.model.id} (a copy)` : labels[place]!;
    });
  }

  #delete(kept: KeptRun): void {
    this.#runs = this.#runs.filter((run) => run !== kept);
    this.#show();
    forgetRun(kept.key).catch(this.options.onError);
    // The button that had the focus is gone.
    element('runs-title', HTMLElement).focus();
  }
}
