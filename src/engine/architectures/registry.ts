import type { OpenOptions } from '../checkpoint.ts';
import { ConfigFields } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { isJsonObject } from '../files.ts';
import { quantisedMessage } from '../weight-names.ts';
import type { Architecture, Family } from './architecture.ts';
import { gpt2 } from './gpt2.ts';
import { gptNeox } from './gpt-neox.ts';
import { llama, mistral, qwen2, qwen3 } from './llama.ts';

/** Every family that the engine knows. To add one: its file, and its name here. */
const families: readonly Family[] = [gpt2, gptNeox, llama, mistral, qwen2, qwen3];

/** Flags that change what every family computes, and the value at which nothing changes. */
const FLAGS = [
  ['is_causal', true, 'tokens would see later tokens; only causal attention is supported'],
  ['add_cross_attention', false, 'only decoders without cross-attention are supported'],
  ['is_encoder_decoder', false, 'only decoders are supported'],
] as const;

/**
 * The architecture that a config.json describes, as transformers reads it.
 *
 * @param json the parsed file
 * @param name of the file, for messages
 * @throws ConfigError naming the file and the key.
 */
export function readArchitecture(json: unknown, name: string, { onNotice }: OpenOptions = {}): Architecture {
  if (!isJsonObject(json)) {
    throw new ConfigError(`${name}: is not a JSON object; is it a model's config.json?`, {
      code: 'bad-format',
      subject: { kind: 'file', name },
    });
  }
  const fields = new ConfigFields(json, name);
  refuseQuantised(fields);
  const family = chooseFamily(fields);
  for (const [key, usual, reason] of FLAGS) {
    if (fields.flag(key, usual) !== usual)
      throw new ConfigError(`${name}: ${key} is ${!usual}; ${reason}`, {
        code: 'config-unsupported',
        subject: { kind: 'key', name: key },
      });
  }
  const architecture = family.describe(fields);
  if (fields.raw('auto_map') !== undefined) {
    onNotice?.(
      `${name}: auto_map names code of the model's own, which Laminar does not run; it computes ${family.modelType} as transformers does`,
    );
  }
  return architecture;
}

/** Refuses a quantised model first, before other things that it lacks. */
function refuseQuantised(fields: ConfigFields): void {
  for (const key of ['quantization_config', 'compression_config']) {
    const value = fields.raw(key);
    if (value === undefined) continue;
    const method = isJsonObject(value) ? value['quant_method'] : undefined;
    const sign = typeof method === 'string' ? `${key}: ${method}` : key;
    throw new ConfigError(quantisedMessage(fields.name, sign), {
      code: 'weights-quantised',
      subject: { kind: 'file', name: fields.name },
    });
  }
}

/** By model_type, and where there is none by the first known class that `architectures` names. */
function chooseFamily(fields: ConfigFields): Family {
  const known = families.map(({ modelType }) => modelType).join(', ');
  const type = fields.text(['model_type']);
  const classes = fields.raw('architectures');
  const classNames: unknown[] = Array.isArray(classes) ? classes : [];
  if (type === undefined) {
    for (const className of classNames) {
      const family = families.find(({ classPrefix }) => isClassOf(className, classPrefix));
      if (family) return family;
    }
    throw new ConfigError(`${fields.name}: has no model_type; Laminar runs ${known}`, {
      code: 'architecture-unknown',
      subject: { kind: 'key', name: 'model_type' },
    });
  }
  const family = families.find(({ modelType }) => modelType === type);
  if (!family)
    throw new ConfigError(`${fields.name}: model_type ${type} is not known; Laminar runs ${known}`, {
      code: 'architecture-unknown',
      subject: { kind: 'key', name: 'model_type' },
    });
  return family;
}

/** GPT2LMHeadModel is a class of GPT2; GPTNeoXJapaneseModel is not one of GPTNeoX. */
function isClassOf(className: unknown, prefix: string): boolean {
  if (typeof className !== 'string' || !className.startsWith(prefix)) return false;
  return /^(Model|LMHeadModel|DoubleHeadsModel|For[A-Z]\w*)$/.test(className.slice(prefix.length));
}
