import { InputError } from '../errors.ts';
import { meantNames, nearestName } from '../near-names.ts';

const LAYER = /^blocks\.(\d+)\./;
const NEAR_NAMES = 3;

/**
 * The names that a pattern means, in their own order; `*` stands for any run of characters.
 * @throws InputError that lists near names, if it means none
 */
export function matchNames(pattern: string, names: readonly string[]): string[] {
  const expression = new RegExp(`^${pattern.split('*').map(escape).join('.*')}$`, 's');
  const matches = names.filter((name) => expression.test(name));
  if (matches.length > 0) return matches;
  throw new InputError(`${pattern}: is not the name of an activation; ${hint(pattern, names)}`, {
    code: 'activation-unknown',
    subject: { kind: 'activation', name: pattern },
  });
}

function escape(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

function hint(pattern: string, names: readonly string[]): string {
  const layers = new Set(names.map((name) => LAYER.exec(name)?.[1]));
  layers.delete(undefined);
  const layer = LAYER.exec(pattern)?.[1];
  const isBeyond = layer !== undefined && !layers.has(layer);
  const kinds = new Set(names.map(withAnyLayer));
  if (isBeyond && kinds.has(withAnyLayer(pattern))) return `the model's blocks are 0 to ${layers.size - 1}`;
  const near = meantNames(withAnyLayer(pattern), [...kinds]).slice(0, NEAR_NAMES);
  for (const name of near) kinds.delete(name);
  while (near.length < NEAR_NAMES) {
    const nearest = nearestName(withAnyLayer(pattern), kinds);
    if (nearest === undefined) break;
    near.push(nearest);
    kinds.delete(nearest);
  }
  if (near.length === 0) return `there are, among others, ${[...kinds].slice(0, NEAR_NAMES).join(', ')}`;
  return `near it ${near.length === 1 ? 'is' : 'are'} ${near.join(', ')}`;
}

/** The name with `*` in the place of the layer's number: all layers' activations of a kind have one such name. */
export function withAnyLayer(name: string): string {
  return name.replace(LAYER, 'blocks.*.');
}

/** The number of the block that an activation belongs to; undefined for those before and after the blocks. */
export function layerOf(name: string): number | undefined {
  const layer = LAYER.exec(name)?.[1];
  return layer === undefined ? undefined : Number(layer);
}
