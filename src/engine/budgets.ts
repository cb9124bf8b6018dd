import { FormatError } from './errors.ts';
import type { ByteSource } from './files.ts';

const MIB = 2 ** 20;

/**
 * What is read of a file at most, by its kind. Every published file stays far below; what is larger is refused by name
 * before memory is taken for it. docs/limits.md says the same for users.
 */
export const budgets = {
  /** config.json, in bytes, and what else describes a model in a few lines. */
  config: 16 * MIB,
  /** model.safetensors.index.json, in bytes. */
  index: 16 * MIB,
  /** Files that an index names. */
  shards: 4096,
  /** tokenizer.json, vocab.json, merges.txt and their like, in bytes each. */
  tokenizer: 64 * MIB,
  /** Tokens of a vocabulary. */
  vocabulary: 2 ** 20,
  /** The header of a safetensors file, in bytes: more than a hundred thousand tensors. The format allows 100 MB. */
  safetensorsHeader: 16 * MIB,
  /** The header of a .npy file, in bytes. */
  npyHeader: MIB,
  /** Files within a .npz archive. */
  npzFiles: 65_536,
  /** Matrices that are measured in one run: slices of stacks, and tensors. */
  matrices: 65_536,
  /** A file of token ids, in bytes. */
  ids: 16 * MIB,
  /** A text, in bytes, after decompression. */
  text: 256 * MIB,
  /** One JSON answer of the hub, in bytes. */
  hubAnswer: 32 * MIB,
  /** All pages of a listing of the hub, in bytes. */
  hubListing: 64 * MIB,
} as const;

/** The budget of one of a model's text files, by its name. */
export function budgetOf(fileName: string): number {
  if (/\.index\.([^.]+\.)?json$/.test(fileName)) return budgets.index;
  return /^(tokenizer\.json|vocab\.json|merges\.txt|added_tokens\.json)$/.test(fileName)
    ? budgets.tokenizer
    : budgets.config;
}

/** @throws FormatError naming the file and what it may take, if it is larger. */
export function checkBudget({ name, size }: Pick<ByteSource, 'name' | 'size'>, limit: number): void {
  if (size <= limit) return;
  throw FormatError.at(
    name,
    `has ${size} bytes, and at most ${limit} are read of such a file; is it the right one?`,
  );
}
