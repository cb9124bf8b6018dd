import { parentPort, workerData } from 'node:worker_threads';
import { LaminarError } from '../engine/errors.ts';
import { createTokenizer } from '../engine/tokenizer/pipeline.ts';
import type { TokenizerDescription } from '../engine/tokenizer/files.ts';

/** What a thread that tokenises is started with. */
export interface ThreadTask {
  readonly description: TokenizerDescription;
  readonly text: string;
}

/** Its messages: characters that are done; at the end the ids or one of our errors. */
export type ThreadMessage =
  | { readonly done: number; readonly total: number }
  | { readonly ids: Int32Array<ArrayBuffer> }
  | { readonly problem: string };

const { description, text } = workerData as ThreadTask;
const say = (message: ThreadMessage, transferred: ArrayBuffer[] = []): void => {
  parentPort!.postMessage(message, transferred);
};
try {
  const tokenizer = await createTokenizer(description);
  const ids = await tokenizer.encodeLong(text, {
    onProgress: (done, total) => {
      say({ done, total });
    },
  });
  say({ ids }, [ids.buffer]);
} catch (error) {
  if (!(error instanceof LaminarError)) throw error;
  say({ problem: error.message });
}
