import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { FileError, FormatError } from './errors.ts';
import type { ModelFiles } from './files.ts';
import { isJsonObject, readJson } from './files.ts';

/** Text to token ids, as the model's own tokenizer.json says. */
export interface Tokenizer {
  /** The ids of the whole text, with no special token added before, after or between. */
  encode(text: string): number[];
}

/**
 * Loads tokenizer.json, and tokenizer_config.json where there is one.
 * @throws FileError if the model has no tokenizer.json, FormatError if it cannot be used.
 */
export async function loadTokenizer(files: ModelFiles): Promise<Tokenizer> {
  const [tokenizer, config] = await Promise.all([
    readJson(files, 'tokenizer.json'),
    readJson(files, 'tokenizer_config.json'),
  ]);
  if (tokenizer === undefined) {
    throw new FileError(
      `${files.name}: has no tokenizer.json; add the model's own, or give token ids instead of a text`,
    );
  }
  const where = `${files.name}/tokenizer.json`;
  if (!isJsonObject(tokenizer)) throw new FormatError(`${where}: is no JSON object; download the file again`);
  if (config !== undefined && !isJsonObject(config)) {
    throw new FormatError(`${files.name}/tokenizer_config.json: is no JSON object; download the file again`);
  }
  let inner: HuggingFaceTokenizer;
  try {
    inner = new HuggingFaceTokenizer(tokenizer, config ?? {});
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
    throw new FormatError(`${where}: is no tokenizer that can be used (${reason}); download the file again`, {
      cause: error,
    });
  }
  return {
    encode(text) {
      const { ids } = inner.encode(text, { add_special_tokens: false });
      // The package leaves undefined where a token is in no vocabulary and there is no unknown token.
      const missing = ids.findIndex((id) => !Number.isInteger(id));
      if (missing !== -1)
        throw new FormatError(`${where}: its vocabulary lacks token ${missing} of the text`);
      return ids;
    },
  };
}
