import { isComparison } from '../analysis/measures/comparisons.ts';
import type { ViewRequest } from '../analysis/measures/measure-views.ts';
import { readMeasuresAndComparisons } from '../analysis/measures/read-measures.ts';
import { isUsual, readBlocks } from '../analysis/profile-sequences.ts';
import type { Sampling } from '../analysis/profile-sequences.ts';
import { profileDefaults } from '../analysis/report.ts';
import { readThreshold } from '../analysis/threshold.ts';
import { readDimensions, readViews } from '../analysis/views.ts';
import { InputError } from '../engine/errors.ts';
import { element } from './elements.ts';
import type { ModelChoice, RunRequest, TextChoice } from './messages.ts';
import { pageSentence } from './page-words.ts';

/** A field of the form holds something that cannot be meant; the message is a sentence. */
export class FieldError extends Error {
  constructor(
    readonly field: HTMLElement,
    message: string,
  ) {
    super(message);
  }

  /** Scrolls to the field, and gives it the focus. */
  show(): void {
    const fold = this.field.closest('details');
    if (fold) fold.open = true;
    this.field.focus();
  }
}

const input = (id: string) => element(id, HTMLInputElement);
const select = (id: string) => element(id, HTMLSelectElement);
const area = (id: string) => element(id, HTMLTextAreaElement);

/** The form that asks what to run. */
export class RunForm {
  readonly #form = element('form', HTMLFormElement);
  readonly #parts = [...this.#form.querySelectorAll<HTMLElement>('[data-shown-for]')];

  /** @param onRun called when the user asks for a run */
  constructor(onRun: () => void) {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      onRun();
    });
    this.#form.addEventListener('change', () => {
      this.#showParts();
    });
    this.#acceptDrops();
    this.#showParts();
  }

  /** What the form asks for. @throws FieldError naming the field that cannot be meant */
  read(): RunRequest {
    const megabytes = numberIn('gpu-memory', 'GPU memory', { min: 1 });
    return {
      model: readModel(),
      text: readText(),
      tokens: numberIn('tokens', 'Length', { min: 1, isWhole: true }),
      start: numberIn('start', 'Start', { min: 0, isWhole: true }),
      seed: numberIn('seed', 'Seed', { min: 0, isWhole: true }) ?? profileDefaults.seed,
      threshold: readField('threshold', readThreshold) ?? profileDefaults.threshold,
      sampling: readSampling(),
      measured: readMeasured(),
      gpuMemory: megabytes === undefined ? undefined : megabytes * 1e6,
    };
  }

  /** Its fields were filled by a program, not by a user. */
  refresh(): void {
    this.#showParts();
  }

  /** What the form asks for at first, of a bundled model. */
  usual(model: string): RunRequest {
    return {
      model: { kind: 'bundled', name: model },
      text: { kind: 'bundled' },
      tokens: undefined,
      start: undefined,
      ...profileDefaults,
      gpuMemory: undefined,
    };
  }

  /** Shows the fields that belong to what is chosen, and no others. */
  #showParts(): void {
    for (const part of this.#parts) {
      const [id, ...values] = part.dataset['shownFor']!.split(' ');
      part.hidden = !values.includes(select(id!).value);
    }
  }

  /** A text file may be dropped anywhere on the form. */
  #acceptDrops(): void {
    const form = this.#form;
    const isDropping = (is: boolean) => form.classList.toggle('dropping', is);
    form.addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      isDropping(true);
    });
    form.addEventListener('dragleave', ({ relatedTarget }) => {
      // Moving from one field to the next does not leave the form.
      if (!(relatedTarget instanceof Node && form.contains(relatedTarget))) isDropping(false);
    });
    form.addEventListener('drop', (event) => {
      isDropping(false);
      const files = event.dataTransfer?.files;
      if (!files?.length) return;
      event.preventDefault();
      input('text-file').files = files;
      select('text-kind').value = 'file';
      this.#showParts();
    });
  }
}

function readModel(): ModelChoice {
  const { value } = select('model');
  if (value === 'hub') {
    const id = input('hub-id').value.trim();
    if (id === '')
      throw new FieldError(input('hub-id'), 'Give the id of a model, such as EleutherAI/pythia-70m.');
    return { kind: 'hub', id, revision: input('hub-revision').value.trim() || 'main' };
  }
  if (value === 'folder') {
    const files = [...(input('folder').files ?? [])];
    if (files.length === 0) throw new FieldError(input('folder'), 'Choose a folder that holds a model.');
    return { kind: 'folder', name: files[0]!.webkitRelativePath.split('/')[0] || 'folder', files };
  }
  return { kind: 'bundled', name: value };
}

function readText(): TextChoice {
  const { value } = select('text-kind');
  switch (value) {
    case 'pasted': {
      const text = area('pasted').value;
      if (text === '') throw new FieldError(area('pasted'), 'Paste a text of at least one token.');
      return { kind: 'pasted', text };
    }
    case 'file': {
      const file = input('text-file').files?.[0];
      if (!file) throw new FieldError(input('text-file'), 'Choose a text file, or drop one here.');
      return { kind: 'file', file };
    }
    case 'url': {
      const url = input('url').value.trim();
      if (!/^https?:\/\/./i.test(url))
        throw new FieldError(input('url'), 'Give an address that begins with https://.');
      return { kind: 'url', url };
    }
    case 'ids': {
      const json = area('ids').value.trim();
      if (json === '') throw new FieldError(area('ids'), 'Give token ids, such as [464, 11, 262].');
      return { kind: 'ids', json };
    }
    default:
      return { kind: 'bundled' };
  }
}

/** A field as the command reads its flag; undefined if it is empty. */
function readField<Value>(id: string, read: (text: string) => Value): Value | undefined {
  const field = element(id, HTMLElement) as HTMLInputElement | HTMLSelectElement;
  const text = field.value.trim();
  if (text === '') return undefined;
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new FieldError(field, pageSentence(error));
  }
}

/** How many sequences are measured besides the text; undefined for the usual one. */
function readSampling(): Sampling | undefined {
  const windows =
    select('text-kind').value === 'ids' ? 1 : numberIn('windows', 'Windows', { min: 1, isWhole: true });
  const sampling = {
    shuffles: numberIn('shuffles', 'Shuffles', { min: 1, isWhole: true }) ?? 1,
    shuffleBlocks: readField('shuffle-blocks', readBlocks) ?? [],
    windows: windows ?? 1,
  };
  return isUsual(sampling) ? undefined : sampling;
}

/** Views and measures; undefined for the usual diagnostics. */
function readMeasured(): ViewRequest | undefined {
  const views = readField('views', readViews);
  const listedDimensions = readField('without-dimensions', readDimensions);
  const named = readField('measures', readMeasuresAndComparisons) ?? [];
  if (!views && !listedDimensions && named.length === 0) return undefined;
  const comparisons = named.filter(isComparison);
  return {
    views: [...(views ?? (['all'] as const)), ...(listedDimensions ? (['without_dimensions'] as const) : [])],
    measures: named.filter((name) => !isComparison(name)),
    ...(comparisons.length > 0 && { comparisons }),
    listedDimensions: listedDimensions ?? [],
  };
}

/** A number field's value; undefined if it is empty. */
function numberIn(
  id: string,
  label: string,
  { min, isWhole = false }: { min: number; isWhole?: boolean },
): number | undefined {
  const field = input(id);
  if (field.value === '' && !field.validity.badInput) return undefined;
  const value = field.valueAsNumber;
  if (!(value >= min && value <= Number.MAX_SAFE_INTEGER) || (isWhole && !Number.isSafeInteger(value))) {
    const kind = isWhole ? 'a whole number' : 'a number';
    throw new FieldError(field, `${label} must be ${kind} of at least ${min}.`);
  }
  return value;
}
