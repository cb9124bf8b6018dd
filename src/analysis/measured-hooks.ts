import type { ModelDescription } from '../engine/description.ts';
import { InputError } from '../engine/errors.ts';
import { listNames } from '../engine/message.ts';
import { PlannedHooks } from '../engine/hooks.ts';
import type { HookSpec } from '../engine/hooks.ts';

/** Named activations whose spectra are asked for. */
export interface MeasuredHooks {
  /** What the run captures. */
  readonly planned: PlannedHooks;
  readonly measured: readonly HookSpec[];
  /** Names that were meant, too, and are not matrices of tokens by features. */
  readonly skipped: readonly string[];
}

/**
 * The named activations that `at` means, as far as they are matrices: a row for each token, the heads side by side in
 * it.
 * @param at names; `*` stands for any run of characters
 * @param sequences in the batch
 * @throws InputError naming what is not the name of an activation, or if none of them is a matrix
 */
export function measuredHooks(
  description: Pick<ModelDescription, 'hooks'>,
  at: readonly string[],
  batch: { readonly sequences: number; readonly tokens: number },
): MeasuredHooks {
  const specs = description.hooks(batch.tokens);
  const meant = new PlannedHooks(specs, { capture: at }, batch).captures.map(({ spec }) => spec);
  const measured = meant.filter((spec) => spec.axes === 'rows' && matrixColumns(spec) > 1);
  if (measured.length === 0) {
    throw new InputError(
      `${listNames(at)}: is not a matrix of tokens by features, so it has no spectrum; name others`,
      { code: 'matrix-shape', subject: { kind: 'option', name: 'at' } },
    );
  }
  const planned = new PlannedHooks(specs, { capture: measured.map(({ name }) => name) }, batch);
  const skipped = meant.filter((spec) => !measured.includes(spec)).map(({ name }) => name);
  return { planned, measured, skipped };
}

/** Columns of an activation as a matrix of tokens by features. */
export function matrixColumns({ heads = 1, width }: HookSpec): number {
  return heads * width;
}
