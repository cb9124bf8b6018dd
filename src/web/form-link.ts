import { element } from './elements.ts';

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** The form's fields by the names that a link has for them. Files stay with their owner. */
const fields: Readonly<Record<string, string>> = {
  model: 'model',
  hub: 'hub-id',
  revision: 'hub-revision',
  text: 'text-kind',
  pasted: 'pasted',
  url: 'url',
  ids: 'ids',
  length: 'tokens',
  start: 'start',
  seed: 'seed',
  threshold: 'threshold',
  memory: 'gpu-memory',
  shuffles: 'shuffles',
  blocks: 'shuffle-blocks',
  windows: 'windows',
  views: 'views',
  without: 'without-dimensions',
  measures: 'measures',
};

/** Longer addresses are cut by programs that people send them with. */
const MAX_LENGTH = 8000;

const fieldOf = (id: string) => element(id, HTMLElement) as Field;

/** What a field holds at first. */
function usual(field: Field): string {
  if (field instanceof HTMLSelectElement)
    return [...field.options].find((option) => option.defaultSelected)?.value ?? field.options[0]!.value;
  return field.defaultValue;
}

/**
 * The part of an address that restores the form: the fields that belong to the choices made, if they differ from the
 * start.
 * @returns '#' if nothing differs; undefined if a text is too long for an address
 */
export function formLink(): string | undefined {
  const values = Object.entries(fields).flatMap(([name, id]) => {
    const field = fieldOf(id);
    const isAsked = field.closest('[data-shown-for][hidden]') === null;
    return isAsked && field.value !== usual(field) ? [[name, field.value]] : [];
  });
  const link = `#${new URLSearchParams(values).toString()}`;
  return link.length > MAX_LENGTH ? undefined : link;
}

/** Fills the form from such a link. Names that are not known are passed over. @returns whether there was anything */
export function fillForm(link: string): boolean {
  let isFilled = false;
  for (const [name, value] of new URLSearchParams(link.replace(/^#/, ''))) {
    const id = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (id === undefined) continue;
    const field = fieldOf(id);
    if (field instanceof HTMLSelectElement && ![...field.options].some((option) => option.value === value))
      continue;
    field.value = value;
    const fold = field.closest('details');
    if (fold) fold.open = true;
    isFilled = true;
  }
  return isFilled;
}
