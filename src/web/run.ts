import { captureTensors } from '../analysis/output-files.ts';
import { profileReport } from '../analysis/profile-report.ts';
import { profileSequencesOf } from '../analysis/profile-sequences.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { SequenceName, TextReport } from '../analysis/report.ts';
import type { GivenTokens } from '../analysis/token-ids.ts';
import { tokenPieces } from '../analysis/token-pieces.ts';
import { checkDimensions } from '../analysis/views.ts';
import { describeModel } from '../engine/description.ts';
import type { ModelDescription } from '../engine/description.ts';
import type { ModelFiles } from '../engine/files.ts';
import { Gpu } from '../engine/gpu/gpu.ts';
import { defaultMemoryLimit } from '../engine/memory.ts';
import { Model } from '../engine/model.ts';
import { checkSequences } from '../engine/sequences.ts';
import { loadTokenizer } from '../engine/tokenizer.ts';
import type { Tokenizer } from '../engine/tokenizer.ts';
import { machineMemory } from './machine-memory.ts';
import type { Answers, RunNews, RunRequest, Stage } from './messages.ts';
import { findModel } from './model-source.ts';
import type { ModelSource } from './remote-model.ts';
import type { TokenTexts } from './page-run.ts';
import { safetensorsBlob } from './safetensors-blob.ts';
import { readTokens } from './token-source.ts';

/** The number of steps in which a profile grows on the page; in each, some layers are measured. */
const STEPS = 8;

/** What a run needs of the worker. */
export interface RunContext {
  readonly signal: AbortSignal;
  /** The page's GPU; a run works on its device, within a bound of its own. */
  readonly gpu: Gpu;
  /** What tells how far a stage has come. */
  readonly stage: (stage: Stage) => (done: number, total: number) => void;
  readonly onNotice: (message: string) => void;
  readonly onNews: (news: RunNews) => void;
}

/** The laminar profile: what the command of that name does, with the same pieces. */
export async function profile(request: RunRequest, context: RunContext): Promise<Answers['profile']> {
  const { signal, stage, onNotice, onNews } = context;
  const { seed, threshold, sampling, measured } = request;
  const started = performance.now();
  return withModel(request, context, async ({ gpu, description, source, tokens, text, tokenizer }) => {
    const { id, revision, files } = source;
    if (measured) checkDimensions(measured.listedDimensions, description.config.width, id);
    const [real, shuffled] = profileSequencesOf(tokens, seed, text && text.start, sampling);
    const ids = { real: real.ids, shuffled: shuffled.ids };
    const texts = tokenTexts(tokenizer ?? (await laterTokenizer(files)), ids);
    const { layers, width } = description.config;
    onNews({ kind: 'window', layers, components: Math.min(real.ids.length, width), ids, texts });
    const { report, spectra } = await profileReport(
      gpu,
      description,
      { id, revision, tokens, text, seed, started },
      {
        threshold,
        sampling,
        request: measured,
        signal,
        maxStates: Math.ceil((layers + 1) / STEPS),
        onLoad: stage('load'),
        onForward: stage('forward'),
        onSpectrum: stage('spectrum'),
        onNotice,
        onLayer: (sequence, layer, { effective_dimension: dimension }) => {
          if (isSequenceName(sequence)) onNews({ kind: 'layer', sequence, layer, dimension });
        },
        onMaxLogSoftmax: (sequence, values) => {
          if (isSequenceName(sequence)) onNews({ kind: 'softmax', sequence, values });
        },
      },
    );
    return { report, spectra, texts };
  });
}

function isSequenceName(name: string): name is SequenceName {
  return sequenceNames.some((each) => each === name);
}

/** The tokenizer of a model whose ids were given; undefined if it has none. */
function laterTokenizer(files: ModelFiles): Promise<Tokenizer | undefined> {
  return loadTokenizer(files).catch(() => undefined);
}

function tokenTexts(
  tokenizer: Tokenizer | undefined,
  { real, shuffled }: Readonly<Record<SequenceName, Int32Array>>,
): TokenTexts | undefined {
  return tokenizer && { real: tokenPieces(tokenizer, real), shuffled: tokenPieces(tokenizer, shuffled) };
}

/** Every state of the real sequence as states.safetensors, as `laminar capture` writes it. */
export async function captureStates(request: RunRequest, context: RunContext): Promise<Blob> {
  const { signal, stage, onNotice } = context;
  return withModel(request, context, async ({ gpu, description, tokens: { real } }) => {
    checkSequences(description.config, [real]); // before weights are read
    using model = await Model.load(gpu, description, {
      signal,
      maxTokens: real.length,
      onProgress: stage('load'),
    });
    const chunks = new Map<string, Blob[]>();
    const append = (name: string, values: Float32Array | Int32Array): void => {
      // The browser may keep a blob on disk, but not an array.
      const blob = new Blob([values as Float32Array<ArrayBuffer>]);
      chunks.set(name, [...(chunks.get(name) ?? []), blob]);
    };
    append('ids', real);
    const { maxLogSoftmax, argmax } = await model.run([real], {
      signal,
      onProgress: stage('forward'),
      onState: async ({ name, tensor }) => {
        append(name, await gpu.readFloats(tensor));
      },
      onNotice,
    });
    const hasLogits = maxLogSoftmax !== null && argmax !== null;
    if (hasLogits) {
      append('max_log_softmax', maxLogSoftmax[0]!);
      append('argmax', argmax[0]!);
    }
    const tensors = captureTensors(model.config, real.length, hasLogits ? 'maxima' : 'none');
    return safetensorsBlob(tensors, chunks);
  });
}

interface Opened {
  readonly gpu: Gpu;
  readonly description: ModelDescription;
  readonly source: ModelSource;
  readonly tokens: GivenTokens;
  readonly text: TextReport | null;
  readonly tokenizer: Tokenizer | undefined;
}

/** Opens the model, reads the tokens and downloads the weights; closes and frees all, also on failure. */
async function withModel<Result>(
  request: RunRequest,
  context: RunContext,
  use: (opened: Opened) => Promise<Result>,
): Promise<Result> {
  const { signal, gpu: page, stage, onNotice } = context;
  const { device, adapter } = page;
  const source = await findModel(request.model, { signal, onNotice });
  const description = await describeModel(source.files, { onNotice, signal });
  try {
    const { text, tokenizer, ...tokens } = await readTokens(
      request,
      source.files,
      description.config,
      context,
    );
    signal.throwIfAborted();
    await source.download(stage('download'));
    const suggested = defaultMemoryLimit(adapter, description.sizes.all, machineMemory());
    using gpu = new Gpu(device, adapter, {
      memoryLimit: request.gpuMemory ?? suggested,
      verdicts: page.verdicts,
    });
    return await use({ gpu, description, source, tokens, text, tokenizer });
  } finally {
    await description.close();
  }
}
