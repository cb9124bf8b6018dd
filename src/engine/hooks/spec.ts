/** An activation that has a name: what its values are, for each sequence of T tokens. */
export interface HookSpec {
  /** `blocks.3.attn.hook_q`. */
  readonly name: string;
  /** `rows`: [T, width] or [T, heads, width]. `pattern`: [heads, T, T], of queries and keys. */
  readonly axes: 'rows' | 'pattern';
  /** undefined if it has none. */
  readonly heads: number | undefined;
  /** The width of a row or of a head; T for a pattern. */
  readonly width: number;
}

/** Which activations a run looks at or changes. */
export interface AskedHooks {
  /** Whether an activation is looked at or changed. */
  wants(name: string): boolean;
  /** Whether an activation is changed. */
  isEdited(name: string): boolean;
}

export const noHooks: AskedHooks = { wants: () => false, isEdited: () => false };

/** Its shape for one sequence of T tokens. */
export function hookShape({ axes, heads, width }: HookSpec, tokens: number): number[] {
  if (axes === 'pattern') return [heads!, tokens, tokens];
  return heads === undefined ? [tokens, width] : [tokens, heads, width];
}
