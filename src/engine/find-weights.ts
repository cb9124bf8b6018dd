import type { Architecture, EmbeddingSpec, WeightSpec } from './architectures/architecture.ts';
import type { Checkpoint, OpenOptions, TensorEntry } from './checkpoint.ts';
import { floatDtypes } from './decode.ts';
import { CheckpointError } from './errors.ts';
import { holdSameNumbers } from './tied-head.ts';
import { besideBase, findBase, refuseForeignTensors, WeightNames } from './weight-names.ts';
import type { Weight } from './weights.ts';
import { weightOf } from './weights.ts';

/** The names of heads in all families; a family's own name comes first. */
const HEAD_NAMES = ['lm_head.weight', 'embed_out.weight'];

/** A model's weights by what they are for. */
export interface Weights {
  readonly embeddings: readonly { readonly table: Weight; readonly by: EmbeddingSpec['by'] }[];
  /** By role, one record per block. */
  readonly blocks: readonly Readonly<Record<string, Weight>>[];
  readonly final: Readonly<Record<string, Weight>>;
  readonly head: Weight | undefined;
  /** The head is the token embedding. */
  readonly isTied: boolean;
}

/**
 * Finds each weight that an architecture needs, under whatever names wrappers have left in front of it or within it.
 * @throws FileError if a shard is missing, CheckpointError if a weight is missing, ambiguous, misshapen or quantised, the
 * signal's reason if it aborts
 */
export async function findWeights(
  checkpoint: Checkpoint,
  architecture: Architecture,
  { onNotice: notice = () => undefined, signal }: OpenOptions = {},
): Promise<Weights> {
  const { embeddings, blocks, finalWeights, config } = architecture;
  const token = embeddings[0]!.table;
  const base = new BaseWeights(checkpoint, architecture, notice);
  base.checkLayers(notice);
  const head = await findHead(checkpoint, architecture, base, { notice, signal });
  const found: Weights = {
    embeddings: embeddings.map(({ table, by }) => ({
      table: table === token && head.isEmbedding ? head.weight! : base.weight(table),
      by,
    })),
    blocks: Array.from({ length: config.layers }, (_, layer) =>
      base.weights(architecture.blockWeights(layer), `${blocks}.${layer}.`),
    ),
    final: base.weights(finalWeights),
    head: head.weight,
    isTied: head.isEmbedding,
  };
  base.tellStrays(notice);
  return found;
}

/** The weights of a model without its head, as a checkpoint names them. */
class BaseWeights {
  readonly prefix: string;
  readonly names: WeightNames;
  /** Whole names of tensors whose prefix is not the usual one. */
  readonly #strays: string[] = [];

  constructor(
    private readonly checkpoint: Checkpoint,
    private readonly architecture: Architecture,
    notice: (text: string) => void,
  ) {
    const { names } = checkpoint;
    const { embeddings, finalWeights, basePrefix } = architecture;
    refuseForeignTensors(names, checkpoint.name);
    const needed = [
      ...embeddings.map(({ table }) => table.name),
      ...specs(architecture.blockWeights(0)).map(({ name }) => `${architecture.blocks}.0.${name}`),
      ...specs(finalWeights).map(({ name }) => name),
    ];
    const found = findBase(names, needed, embeddings[0]!.table.name, [basePrefix, '']);
    for (const other of found.others) {
      notice(`${checkpoint.name}: the tensors that begin with ${JSON.stringify(other)} are left out`);
    }
    this.prefix = found.prefix;
    this.names = new WeightNames(names, found, basePrefix);
  }

  /** Compares the number of layers with what the files have, before anything is made for each layer. */
  checkLayers(notice: (text: string) => void): void {
    const { name } = this.checkpoint;
    const { layers } = this.architecture.config;
    const prefix = `${this.prefix}${this.architecture.blocks}.`;
    const held = this.names.countBlocks(prefix);
    if (held === 0) this.entry(this.#firstOfBlocks);
    if (layers > held) {
      throw new CheckpointError(
        `${name}: config.json says ${layers} layers, and the weights have ${held} (${prefix}0 to ` +
          `${prefix}${held - 1}); check that both belong to the same model`,
        { code: 'layers-differ', subject: { kind: 'file', name } },
      );
    }
    if (layers < held) {
      const extra = held - layers === 1 ? `layer ${layers} is` : `layers ${layers} to ${held - 1} are`;
      notice(`${name}: the weights have ${held} layers and config.json says ${layers}; ${extra} left out`);
    }
  }

  /** @param name as published, after the prefix; undefined if no tensor is called that */
  find(name: string): TensorEntry | undefined {
    const whole = this.prefix + name;
    const entry = this.checkpoint.find(whole);
    if (entry) return entry;
    const [stray, other] = this.names.like(whole);
    if (stray === undefined) return undefined;
    if (other !== undefined) {
      throw new CheckpointError(
        `tensor ${whole} is not in ${this.checkpoint.where}, and ${stray} or ${other} may stand for it; keep one of them`,
      );
    }
    const found = this.checkpoint.find(stray);
    if (found) this.#strays.push(stray);
    return found;
  }

  /** @throws CheckpointError naming the tensor and the nearest name that is there. */
  entry(name: string): TensorEntry {
    const entry = this.find(name);
    if (entry) return entry;
    const whole = this.prefix + name;
    const nearest = this.names.nearest(whole, name);
    const hint = nearest === undefined ? '' : ` (the nearest name there is ${nearest})`;
    const { architecture, layers } = this.architecture.config;
    throw new CheckpointError(
      `tensor ${whole} is not in ${this.checkpoint.where}${hint}, and config.json (${architecture}, ${layers} layers) ` +
        'needs it; check that both belong to the same model',
    );
  }

  weight({ name, shape }: WeightSpec): Weight {
    return weightOf(this.entry(name), shape);
  }

  /** @param before what the names stand behind, after the prefix: '' or `h.0.` */
  weights(record: Readonly<Record<string, WeightSpec>>, before = ''): Record<string, Weight> {
    return Object.fromEntries(
      Object.entries(record).map(([role, { name, shape }]) => [
        role,
        this.weight({ name: before + name, shape }),
      ]),
    );
  }

  tellStrays(notice: (text: string) => void): void {
    const [first, ...more] = this.#strays;
    if (first === undefined) return;
    const others = more.length === 0 ? 'is' : `and ${more.length} more tensors are`;
    notice(
      `${this.checkpoint.name}: ${first} ${others} named with another prefix than the rest (most have ${JSON.stringify(this.prefix)}); ` +
        'all are taken as one model',
    );
  }

  get #firstOfBlocks(): string {
    const [first] = specs(this.architecture.blockWeights(0));
    return `${this.architecture.blocks}.0.${first!.name}`;
  }
}

interface Head {
  readonly weight: Weight | undefined;
  readonly isEmbedding: boolean;
}

/**
 * The head. If the files have one that differs from the token embedding, it is that. Otherwise it is the token embedding, if
 * the configuration ties them; the files may keep it under either name.
 */
async function findHead(
  checkpoint: Checkpoint,
  { embeddings, head, config }: Architecture,
  base: BaseWeights,
  { notice, signal }: { readonly notice: (text: string) => void; readonly signal: AbortSignal | undefined },
): Promise<Head> {
  const { table } = embeddings[0]!;
  const headNames = [head.name, ...HEAD_NAMES.filter((name) => name !== head.name)];
  const tokens = base.find(table.name);
  const [own, ...others] = [...possibleHeads(base, headNames)].flatMap((name) => {
    const shard = config.tiedEmbeddings && tokens ? checkpoint.missingShard(name) : undefined;
    if (shard === undefined) return checkpoint.find(name) ?? [];
    notice(
      `${checkpoint.name}: ${shard} is missing, which may hold ${name}; ${tokens!.name} is used, to which config.json ties it`,
    );
    return [];
  });
  if (!own) {
    if (config.tiedEmbeddings) {
      return { weight: weightOf(tokens ?? base.entry(table.name), table.shape), isEmbedding: true };
    }
    notice(`${checkpoint.name}: has no head (${head.name}); states are computed, and no logits`);
    return { weight: undefined, isEmbedding: false };
  }
  const weight = weightOf(own, head.shape);
  for (const other of others) {
    if (await isSame(own, other, signal)) continue;
    notice(
      `${checkpoint.name}: has two heads that differ, ${own.name} and ${other.name}; ${own.name} is used`,
    );
  }
  if (!config.tiedEmbeddings) return { weight, isEmbedding: false };
  if (!tokens) return { weight, isEmbedding: true };
  const embedding = weightOf(tokens, table.shape);
  if (await holdSameNumbers(own, tokens, signal)) return { weight: embedding, isEmbedding: true };
  notice(
    `${checkpoint.name}: ${own.name} differs from ${tokens.name}, to which config.json ties it; it is used as it is`,
  );
  return { weight, isEmbedding: false };
}

/** The names of what may be the head, the likeliest first. */
function possibleHeads({ prefix, names }: BaseWeights, headNames: readonly string[]): Set<string> {
  const found = new Set<string>(besideBase(prefix, headNames));
  for (const head of headNames) for (const name of names.like(prefix + head)) found.add(name);
  return found;
}

async function isSame(a: TensorEntry, b: TensorEntry, signal?: AbortSignal): Promise<boolean> {
  if (a.shape.join() !== b.shape.join() || !floatDtypes.includes(b.dtype)) return false;
  return holdSameNumbers(a, b, signal);
}

function specs(record: Readonly<Record<string, WeightSpec>>): WeightSpec[] {
  return Object.values(record);
}
