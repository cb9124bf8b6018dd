import { option, wording } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';

/** Names that git forbids, and names that would lead out of refs/. */
const NO_REVISION = /(^|\/)\.{0,2}(\/|$)|\.\.|[\p{Cc} \\~^:?*[]/u;

/**
 * The revision that is meant: the one that a reference names, or the one that was chosen separately; main if there is
 * neither.
 * @throws InputError if the two differ, or if no branch, tag or commit can have that name
 */
export function chooseRevision(
  inReference: string | undefined,
  chosen: string | undefined,
  reference: string,
): string {
  const subject = { kind: 'option', name: 'revision' } as const;
  if (inReference !== undefined && chosen !== undefined && inReference !== chosen) {
    throw new InputError(
      wording`${reference} names revision ${inReference}, and ${option('revision')} says ${chosen}; leave one of them out`,
      { code: 'option-ambiguous', subject },
    );
  }
  const revision = chosen ?? inReference ?? 'main';
  if (NO_REVISION.test(revision)) {
    throw new InputError(
      `revision ${JSON.stringify(revision)} cannot be a branch, tag or commit; give one such as main`,
      { code: 'option-out-of-range', subject },
    );
  }
  return revision;
}
