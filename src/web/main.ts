import { bundledModels } from '../analysis/bundled.ts';
import type { Report } from '../analysis/report.ts';
import { countedComponents } from '../analysis/threshold.ts';
import { element } from './elements.ts';
import { EngineClient, Stopped } from './engine-client.ts';
import type { Listener } from './engine-client.ts';
import { Explainer } from './explainer.ts';
import { showKeptModels } from './kept-models.ts';
import { LiveRun } from './live-run.ts';
import { stages } from './messages.ts';
import type { ModelChoice, RunRequest, Stage } from './messages.ts';
import { pagePart } from './page-part.ts';
import type { PageRun } from './page-run.ts';
import { curvesOf, ProfilePicture } from './profile-picture.ts';
import { ProgressBars } from './progress-bars.ts';
import type { Results, RunKind } from './results.ts';
import type { RunsView } from './runs-view.ts';
import { fillForm, formLink } from './form-link.ts';
import { findingTable } from './finding.ts';
import { FieldError, RunForm } from './run-form.ts';
import { fetchSavedRun } from './saved-runs.ts';

/** The page: the form and its run, the explainer, what is kept. The engine and the figures come when they are needed. */
element('not-started', HTMLElement).remove();
const engine = new EngineClient();
const picture = new ProfilePicture(element('picture', HTMLElement), (layer, place) =>
  results?.explain(layer, place),
);
const finding = element('finding', HTMLElement);
const progress = new ProgressBars(element('progress', HTMLElement));
const form = new RunForm(() => void run());
const startButton = element('start-run', HTMLButtonElement);
const stopButton = element('stop-run', HTMLButtonElement);
const status = element('status', HTMLElement);

let stopper: AbortController | undefined;
let shown: { run: PageRun; kind: RunKind; request: RunRequest | undefined } | undefined;
let runs: Promise<RunsView> | undefined;
let results: Results | undefined;
/** Whether nothing was measured yet. */
let isSaved = true;

stopButton.addEventListener('click', () => {
  stopper?.abort();
});
// The focus goes from one button to the other: a key that is held must not press both.
for (const pressed of [startButton, stopButton])
  pressed.addEventListener('keydown', (event) => {
    if (event.repeat && event.key === 'Enter') event.preventDefault();
  });

/** Profiles what the form asks for, and shows it. */
async function run(): Promise<void> {
  const request = readForm();
  if (!request) return;
  await work('Running…', stages, async (signal, listener) => {
    finding.classList.add('stale');
    const live = new LiveRun(picture, () => results, `${nameOf(request.model)}, running …`);
    try {
      const onNews: Listener['onNews'] = (news) => live.take(news);
      const measured = await engine.ask({ kind: 'profile', request }, signal, { ...listener, onNews });
      isSaved = false;
      const isBundled = request.model.kind === 'bundled';
      await show(measured, { isSaved, isBundled, hasRequest: true }, request);
    } catch (error) {
      // The run that was shown before is shown again.
      if (shown) await show(shown.run, shown.kind, shown.request);
      throw error;
    }
    // If the user has gone to another field meanwhile, the focus stays there.
    if (document.activeElement === stopButton || document.activeElement === document.body)
      element('results-title', HTMLElement).focus({ preventScroll: true });
  });
}

/** Shows a run: its picture, and below it everything else. */
async function show(run: PageRun, kind: RunKind, request: RunRequest | undefined): Promise<void> {
  const { report } = run;
  shown = { run, kind, request };
  drawPicture(report, kind);
  const { Results } = await pagePart(import('./results.ts'));
  results ??= new Results({
    onStates: () => void downloadStates(),
    onKeep: (kept) => void keep(kept).catch(sayError),
    onThreshold: (threshold) => {
      // The next run takes it, too.
      element('threshold', HTMLInputElement).value = String(threshold);
      showLink();
      drawPicture(results!.run!.report, shown!.kind);
    },
    onError: sayError,
  });
  results.show(run, kind);
}

function drawPicture(report: Report, { isSaved: saved }: RunKind): void {
  const source = report.text?.source.replace(/^.*\//, '') ?? 'token ids';
  const words = `${report.model.id}, reading ${source}: ${countedComponents(report.threshold)}.`;
  picture.show(curvesOf(report), saved ? `${words} A saved run.` : words);
  finding.replaceChildren(findingTable(report));
  finding.classList.remove('stale');
}

async function keep(run: PageRun): Promise<void> {
  await (await openRuns()).keep(run);
  status.textContent = 'Kept: see below, among the runs side by side.';
}

/** The runs that are kept; their part of the page comes when it is needed. */
function openRuns(): Promise<RunsView> {
  return (runs ??= (async () => {
    const { RunsView } = await pagePart(import('./runs-view.ts'));
    const view = new RunsView({
      onShow: (run) => {
        isSaved = false;
        void show(run, { isSaved, isBundled: false, hasRequest: false }, undefined).then(() => {
          element('results-title', HTMLElement).focus();
        }, sayError);
      },
      onError: sayError,
      onNotice: (sentence) => say('notice', sentence),
    });
    await view.begin();
    return view;
  })());
}

/** Until something is measured, the page shows the saved run of the model that is chosen. */
async function showSaved(): Promise<void> {
  const { value } = element('model', HTMLSelectElement);
  const model = bundledModels.find((name) => name === value);
  if (!isSaved || !model) return;
  const run = await fetchSavedRun(model);
  if (!isSaved || !run) return;
  await show(run, { isSaved, isBundled: true, hasRequest: true }, form.usual(model));
}

const nameOf = (model: ModelChoice) => (model.kind === 'hub' ? model.id : model.name);

/** Runs once more what is shown, and downloads its states. */
async function downloadStates(): Promise<void> {
  const request = shown!.request!;
  await work(
    'Running once more, for the states…',
    ['download', 'load', 'forward'],
    async (signal, listener) => {
      const [states, { download }] = await Promise.all([
        engine.ask({ kind: 'states', request }, signal, listener),
        pagePart(import('./downloads.ts')),
      ]);
      download('states.safetensors', states);
    },
  );
}

function readForm(): RunRequest | undefined {
  try {
    return form.read();
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    status.textContent = '';
    say('error', error.message);
    error.show();
    return undefined;
  }
}

/** Does one thing that takes time: bars, the stop button, and a sentence about what went wrong. */
async function work(
  what: string,
  itsStages: readonly Stage[],
  act: (signal: AbortSignal, listener: Listener) => Promise<void>,
): Promise<void> {
  if (stopper) {
    say('notice', 'One run at a time: stop this one, or wait for its end.');
    return;
  }
  const notices: string[] = [];
  stopper = new AbortController();
  setBusy(true);
  say('error', '');
  say('notice', '');
  status.textContent = what;
  progress.begin(itsStages);
  element('progress', HTMLElement).scrollIntoView({ block: 'nearest' });
  try {
    await act(stopper.signal, {
      onProgress: (...amount) => {
        progress.update(...amount);
      },
      onNotice: (sentence) => {
        notices.push(sentence);
        say('notice', notices.join(' '));
      },
    });
    status.textContent = 'Done.';
  } catch (error) {
    const isStopped = error instanceof Stopped;
    status.textContent = isStopped ? 'Stopped.' : '';
    if (!isStopped) sayError(error);
    // If the engine did not fail, it is still working.
    stopper.abort();
  } finally {
    progress.hide();
    stopper = undefined;
    setBusy(false);
    void showKeptModels();
  }
}

/** Enables one of the two buttons, and moves the focus to it: a disabled button would lose it. */
function setBusy(isBusy: boolean): void {
  const [next, last] = isBusy ? [stopButton, startButton] : [startButton, stopButton];
  next.disabled = false;
  if (document.activeElement === last) next.focus();
  last.disabled = true;
}

function sayError(error: unknown): void {
  say('error', error instanceof Error ? error.message : String(error));
  element('error', HTMLElement).scrollIntoView({ block: 'nearest' });
}

/** A sentence for the user, or none. */
function say(id: 'error' | 'notice', sentence: string): void {
  const place = element(id, HTMLElement);
  place.textContent = sentence;
  place.hidden = sentence === '';
}

/** Says at once if nothing can be computed. */
async function tryEngine(): Promise<void> {
  const fault = await explainer.measure();
  if (fault !== undefined && !stopper)
    say('notice', `${fault} The runs of the bundled models below were saved.`);
}

/** The link follows what the form asks. */
function showLink(): void {
  const link = formLink();
  const place = element('form-link', HTMLAnchorElement);
  place.hidden = link === undefined;
  place.href = link ?? '#';
}

fillForm(location.hash);
form.refresh();
showLink();
element('form', HTMLFormElement).addEventListener('input', showLink);
addEventListener('hashchange', () => {
  if (fillForm(location.hash)) form.refresh();
  showLink();
});
void openRuns().catch(sayError);
void showKeptModels();
void showSaved().catch(sayError);
element('model', HTMLSelectElement).addEventListener('change', () => void showSaved().catch(sayError));
const explainer = new Explainer(engine);
// The engine's worker must not compete with the first paint.
requestAnimationFrame(() => setTimeout(() => void tryEngine()));
// Absent if the page came over plain http.
void (navigator as Partial<Navigator>).serviceWorker?.register('./service-worker.js').catch(() => undefined);
