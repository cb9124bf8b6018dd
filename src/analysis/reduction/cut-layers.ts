import { option, wording } from '../../engine/error-words.ts';
import { InputError } from '../../engine/errors.ts';
import type { StatePoint } from '../../engine/branches.ts';

/**
 * A state that can be cut: l from 0 to L for hidden_states[l], where 0 is the embedding and L what the final norm made; or
 * the last block's raw output, before that norm.
 */
export type CutLayer = number | 'residual_final';

/**
 * Reads a list of states as a person writes it: `3`, `0-11`, `0,4,residual_final`, `all`.
 * @param layers L of the model
 * @throws InputError naming what does not exist, and what does
 */
export function readCutLayers(text: string, layers: number): CutLayer[] {
  const all: CutLayer[] = [...Array.from({ length: layers }, (_, layer) => layer), 'residual_final', layers];
  if (text.trim() === 'all') return all;
  const chosen = text.split(',').flatMap((part): CutLayer[] => {
    const word = part.trim();
    if (word === 'residual_final') return [word];
    const [, first = '', last = first] = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(word) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === '' || to < from || to > layers) {
      throw new InputError(
        wording`${option('layer')} ${JSON.stringify(text)}: ${JSON.stringify(word)} is not a state of this model; give numbers from 0, the embedding, to ${layers}, what the final norm made, such as 0,3-5, or residual_final, the last block's output before that norm, or all`,
        { code: 'option-out-of-range', subject: { kind: 'option', name: 'layer' } },
      );
    }
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  return all.filter((layer) => chosen.includes(layer));
}

/** The point of the pass at which a state is. @throws InputError if there is none */
export function pointOf(layer: CutLayer, layers: number): StatePoint {
  if (layer === 'residual_final') return layers;
  if (!Number.isInteger(layer) || layer < 0 || layer > layers) {
    throw new InputError(
      `layer ${layer} cannot be cut: the states are 0 to ${layers}, and residual_final; give one of them`,
      { code: 'option-out-of-range', subject: { kind: 'option', name: 'layer' } },
    );
  }
  return layer === layers ? layers + 1 : layer;
}

/** The state at a point. */
export function layerAt(point: StatePoint, layers: number): CutLayer {
  return point === layers ? 'residual_final' : Math.min(point, layers);
}
