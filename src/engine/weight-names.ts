import { CheckpointError } from './errors.ts';
import { nearestName } from './near-names.ts';

/** Where in a checkpoint a model's base (all but the head) stands. */
export interface Base {
  /** What its names begin with: '', `transformer.`, `_orig_mod.module.transformer.` */
  readonly prefix: string;
  /** Other prefixes under which a whole base stands, too. */
  readonly others: readonly string[];
}

/**
 * Finds the prefix under which the needed names stand, whole, whatever wrappers have put before them. Names are
 * compared after the prefix and up to their end, so that `h.0.attn.bias`, a mask, is not `h.0.attn.c_attn.bias`.
 *
 * @param names of all tensors
 * @param needed of the base: embeddings, the first block, the final norm
 * @param spare one of them that the head may stand for
 * @param usual the prefixes that published files have, the likeliest first
 * @returns the prefix; if no base is whole, the one that has most of it
 * @throws CheckpointError if two bases are whole and neither is where published files have it
 */
export function findBase(
  names: ReadonlySet<string>,
  needed: readonly string[],
  spare: string,
  usual: readonly string[],
): Base {
  const wanted = new Set(needed);
  const found = new Map<string, number>();
  for (const name of names) {
    for (let start = 0; ;) {
      const rest = name.slice(start);
      if (wanted.has(rest)) {
        const prefix = name.slice(0, start);
        found.set(prefix, (found.get(prefix) ?? 0) + 1);
      }
      const dot = name.indexOf('.', start);
      if (dot < 0) break;
      start = dot + 1;
    }
  }
  const isWhole = (prefix: string): boolean => {
    const count = found.get(prefix)!;
    return count === wanted.size || (count === wanted.size - 1 && !names.has(prefix + spare));
  };
  const whole = [...found.keys()].filter(isWhole);
  if (whole.length === 0) {
    const [best] = [...found].sort((a, b) => b[1] - a[1]);
    return { prefix: best?.[0] ?? usual[0]!, others: [] };
  }
  const known = whole.filter((prefix) => usual.includes(prefix));
  const candidates = known.length > 0 ? known : whole;
  const [prefix] = candidates;
  if (prefix === undefined || candidates.length > 1) {
    const listed = candidates.map((candidate) => JSON.stringify(candidate)).join(' and ');
    throw new CheckpointError(
      `the checkpoint holds more than one model, with names that begin with ${listed}; keep the tensors of one`,
      { code: 'weights-ambiguous' },
    );
  }
  return { prefix, others: whole.filter((other) => other !== prefix) };
}

/**
 * What wrappers of a model, or of a module within it, put into names: torch.compile, FSDP, checkpointing of activations,
 * data parallelism, trainers.
 */
const WRAPPERS: ReadonlySet<string> = new Set([
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_fpw_module',
  '_checkpoint_wrapped_module',
  '_forward_module',
  'module',
  'model',
  'base_model',
  'pretrained_model',
  'net',
  'network',
  'state_dict',
]);

/** The names of a checkpoint's tensors, looked up whatever wrappers have put into them. */
export class WeightNames {
  readonly #byUnwrapped = new Map<string, string[]>();
  readonly #wrappers: ReadonlySet<string>;

  /**
   * @param names of all tensors
   * @param base where the model stands; names of the others are left out
   * @param usual what published files put before the base's names: '', or ending with a dot
   */
  constructor(names: ReadonlySet<string>, base: Base, usual: string) {
    this.#wrappers = new Set([...WRAPPERS, ...usual.split('.').filter((part) => part !== '')]);
    const others = base.others.filter((prefix) => !base.prefix.startsWith(prefix));
    for (const name of names) {
      if (others.some((prefix) => name.startsWith(prefix))) continue;
      const key = this.unwrapped(name);
      const alike = this.#byUnwrapped.get(key);
      if (alike) alike.push(name);
      else this.#byUnwrapped.set(key, [name]);
    }
  }

  /** A name without what wrappers put into it. */
  unwrapped(name: string): string {
    return name
      .split('.')
      .filter((part) => !this.#wrappers.has(part))
      .join('.');
  }

  /** The names that differ from one in wrappers alone. */
  like(name: string): readonly string[] {
    return this.#byUnwrapped.get(this.unwrapped(name)) ?? [];
  }

  /**
   * The name that is nearest to a missing one: of the same tensor in another model, else the one that differs least.
   * @param name with its prefix
   * @param published the same without
   */
  nearest(name: string, published: string): string | undefined {
    const keys = [...this.#byUnwrapped.keys()];
    const key =
      keys.find((other) => other.endsWith(`.${published}`)) ?? nearestName(this.unwrapped(name), keys);
    return key === undefined ? undefined : this.#byUnwrapped.get(key)![0];
  }

  /** How many blocks there are: one more than the highest number after `prefix`, which ends with a dot. */
  countBlocks(prefix: string): number {
    const before = this.unwrapped(prefix);
    let count = 0;
    for (const name of this.#byUnwrapped.keys()) {
      if (!name.startsWith(before)) continue;
      const number = /^\d+(?=\.)/.exec(name.slice(before.length));
      if (number) count = Math.max(count, Number(number[0]) + 1);
    }
    return count;
  }
}

/**
 * Names under which a head may stand beside a base: with the base's whole prefix, and with ever fewer of its parts.
 * @param prefix '', or ending with a dot
 */
export function* besideBase(prefix: string, headNames: readonly string[]): Generator<string> {
  for (const head of headNames) {
    for (let rest = prefix; ; rest = rest.replace(/[^.]*\.$/, '')) {
      yield rest + head;
      if (rest === '') break;
    }
  }
}

/** LoRA and similar: tensors that change what a layer computes, or that mean nothing without their base model. */
const ADAPTER =
  /(^|\.)(lora_[A-Za-z_]+|base_layer|prompt_embeddings|prompt_encoder|ia3_l|hada_w\d_[ab]|vera_lambda_[bd]|oft_[rR]|boft_\w+)(\.|$)/;
/** GPTQ and AWQ, bitsandbytes, compressed-tensors and FP8. */
const QUANTISED =
  /\.(qweight|qzeros|g_idx|SCB|weight_format|absmax|quant_map|nested_absmax|quant_state(\..*)?|weight_packed|weight_scale(_inv)?|weight_zero_point)$/;

/** @throws CheckpointError if the tensors are an adapter's or quantised: saying so comes before what they lack. */
export function refuseForeignTensors(names: ReadonlySet<string>, where: string): void {
  for (const name of names) {
    if (ADAPTER.test(name)) {
      throw new CheckpointError(
        `${where}: tensor ${name} belongs to an adapter, and Laminar runs whole models; merge the adapter into its base model first (PEFT's merge_and_unload)`,
        { code: 'weights-of-adapter', subject: { kind: 'tensor', name } },
      );
    }
    if (QUANTISED.test(name))
      throw new CheckpointError(quantisedMessage(where, `tensor ${name}`), {
        code: 'weights-quantised',
        subject: { kind: 'tensor', name },
      });
  }
}

/** @param sign what shows it */
export function quantisedMessage(where: string, sign: string): string {
  return `${where}: the weights are quantised (${sign}), and Laminar reads F32, F16, BF16 and F64; use the checkpoint that it was quantised from`;
}
