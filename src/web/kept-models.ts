import { formatBytes } from '../analysis/quantities.ts';
import { button, create, element } from './elements.ts';
import { forget, listKept } from './kept-blocks.ts';

/** Lists what the browser keeps of models, each with a button that deletes it. */
export async function showKeptModels(): Promise<void> {
  const kept = await listKept('model');
  const rows = kept.map(({ name, bytes }) =>
    create(
      'li',
      {},
      create('span', {}, `${name}, ${formatBytes(bytes)}`),
      button('Delete', () => void deleteModel(name), { ariaLabel: `Delete ${name}` }),
    ),
  );
  if (rows.length === 0) rows.push(create('li', {}, 'Nothing yet.'));
  element('kept', HTMLElement).replaceChildren(...rows);
  element('kept-room', HTMLElement).textContent = await room();
}

async function deleteModel(name: string): Promise<void> {
  await forget('model', name);
  await showKeptModels();
  // The button that had the focus is gone.
  element('kept-title', HTMLElement).focus();
}

/** How much of the browser's space for this page is used, if the browser tells. */
async function room(): Promise<string> {
  const { usage, quota } = (await globalThis.navigator.storage?.estimate().catch(() => undefined)) ?? {};
  if (usage === undefined || quota === undefined) return '';
  return `${formatBytes(usage)} of the ${formatBytes(quota)} that the browser allows this page are in use.`;
}
