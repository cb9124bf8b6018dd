import { join } from 'node:path';
import type { Command } from 'commander';
import { activationTensors, captureTensors } from '../../analysis/output-files.ts';
import { describeModel } from '../../engine/description.ts';
import type { ModelDescription } from '../../engine/description.ts';
import type { TensorDeclaration } from '../../engine/safetensors-tensors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { InputError, NumericalError } from '../../engine/errors.ts';
import { listNames } from '../../engine/message.ts';
import { PlannedHooks } from '../../engine/hooks.ts';
import type { CaptureRequest } from '../../engine/hooks.ts';
import { Model } from '../../engine/model.ts';
import { checkSequences } from '../../engine/sequences.ts';
import { checkWritableFile } from '../atomic.ts';
import { defaultModel } from '../bundled.ts';
import { folderFiles } from '../files.ts';
import { baseName } from '../folder-name.ts';
import { checkApart } from '../inputs-apart.ts';
import { findModel } from '../model-source.ts';
import { collected, nonEmpty, numberList } from '../options.ts';
import { SafetensorsWriter } from '../safetensors-writer.ts';
import { printText } from '../terminal.ts';
import { addTokenOptions } from '../token-options.ts';
import { readTokens, textListeners } from '../token-source.ts';
import type { TokenFlags } from '../token-source.ts';
import { printCapturePlan } from './capture-plan.ts';
import type { CommandContext } from './context.ts';

/** The maximum number of tensors that the last line names. */
const MAX_LISTED = 100;

interface CaptureFlags extends Omit<TokenFlags, 'text'> {
  /** One or several. */
  readonly text?: string[];
  readonly at?: string[];
  readonly heads?: number[];
  readonly positions?: number[];
  readonly out?: string;
  readonly logits?: boolean;
  readonly plan?: boolean;
  readonly json?: boolean;
  readonly revision?: string;
}

/**
 * `laminar capture`: every state of one sequence, or activations by their names, in a safetensors file. Of an ids file with
 * a real and a shuffled sequence it takes the real one; to capture the other, give it as an array.
 */
export function addCaptureCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('capture')
    .description('write every hidden state of a text, or activations by name, to a safetensors file')
    .argument('[model]', 'a folder, a hub id such as gpt2-xl, or a bundled model', defaultModel());
  addTokenOptions(command, 'several texts')
    .option(
      '--at <names...>',
      "write these activations instead, such as 'blocks.*.hook_mlp_out'; * stands for any characters",
      collected(nonEmpty('--at')),
    )
    .option('--heads <list>', 'only these heads, such as 0,3,5-8', numberList('--heads'))
    .option(
      '--positions <list>',
      'only these positions; of patterns, these queries',
      numberList('--positions'),
    )
    .option('--revision <name>', 'branch, tag or commit on the hub')
    .option('--logits', 'write the logits [T, V] too')
    .option(
      '--out <file>',
      'the safetensors file to write; for several texts, a folder that gets one file per text',
      nonEmpty('--out'),
    )
    .option('--plan', 'only say what the run would need: memory, and the size of the file')
    .option('--json', 'print the plan as JSON')
    .action(async (model: string, flags: CaptureFlags) => {
      await capture(model, flags, context);
    });
}

async function capture(reference: string, flags: CaptureFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const { at, out, heads, positions } = flags;
  if (out === undefined && !flags.plan) {
    throw new InputError('--out is missing; name the safetensors file to write, or give --plan');
  }
  if (!at && (heads ?? positions)) {
    throw new InputError(`${heads ? '--heads' : '--positions'} is for activations; name some with --at`);
  }
  const texts: readonly (string | undefined)[] = flags.text ?? [undefined];
  if (flags.plan && flags.json && texts.length > 1)
    throw new InputError('--plan --json takes one text; give --text once');
  const outputs = out === undefined ? [] : outputFiles(out, texts);
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const files = folderFiles(source.folder);
  const onNotice = (notice: string) => terminal.notice(notice);
  const description = await describeModel(files, { onNotice, signal });
  try {
    const { config } = description;
    const inputs = [...texts, flags.ids];
    await checkApart(outputs, {
      modelFolder: source.folder,
      weights: description.weightFiles,
      others: inputs,
    });
    for (const output of outputs) await checkWritableFile(output);
    if (flags.logits && !description.hasHead) {
      throw new InputError(`--logits: ${description.name} has no head, so there are no logits; leave it out`);
    }
    const choice = { ...(heads && { heads }), ...(positions && { positions }) };
    const requests = (at ?? []).map((name) => ({ at: name, ...choice }));
    const jobs: CaptureJob[] = [];
    for (const text of texts) {
      const { ids: idsFile, tokens, start } = flags;
      const chosen: TokenFlags = {
        ...(text !== undefined && { text }),
        ...(idsFile !== undefined && { ids: idsFile }),
        ...(tokens !== undefined && { tokens }),
        ...(start !== undefined && { start }),
      };
      const { real: ids } = await readTokens(chosen, files, config, signal, textListeners(terminal));
      checkSequences(config, [ids]);
      jobs.push(jobOf(description, ids, at && requests));
    }
    if (flags.plan) {
      for (const { ids, hooks, declare } of jobs) {
        const tensors = declare(flags.logits ? 'all' : description.hasHead ? 'maxima' : 'none');
        const subject = { description, id: source.id, tokens: ids.length, hooks, tensors };
        await printCapturePlan(subject, flags, context);
      }
      return;
    }
    using gpu = await context.openGpu(description.sizes.all);
    const model = await Model.load(gpu, description, {
      signal,
      maxTokens: Math.max(...jobs.map(({ ids }) => ids.length)),
      reserve: Math.max(...jobs.map(({ extra }) => extra)),
      onProgress: terminal.stage('load', 'bytes'),
    });
    const needsLogits = flags.logits === true || !at;
    const fault = needsLogits ? await model.logitsFault(signal) : undefined;
    if (fault !== undefined && flags.logits) throw new NumericalError(`--logits: ${fault}; leave it out`);
    if (fault !== undefined && description.hasHead) onNotice(fault);
    for (const [index, { ids, declare }] of jobs.entries()) {
      const tensors = declare(fault !== undefined ? 'none' : flags.logits ? 'all' : 'maxima');
      const writer = await SafetensorsWriter.create(outputs[index]!, tensors);
      try {
        await writer.append('ids', ids);
        const run = { gpu, model, ids, logits: flags.logits === true, capture: at && requests };
        await runInto(writer, run, context);
        signal.throwIfAborted();
        await writer.commit();
      } finally {
        await writer.abort();
      }
      terminal.endStages();
      const made = tensors.map(({ name, shape }) => `${name} [${shape.join(', ')}]`);
      printText(`${outputs[index]!}: ${listNames(made, MAX_LISTED)}\n`);
    }
  } finally {
    await description.close();
  }
}

/** The files to write: --out itself for one text; for several, files in it that are named after their texts. */
function outputFiles(out: string, texts: readonly (string | undefined)[]): string[] {
  if (texts.length === 1) return [out];
  const paths = texts.map((text) =>
    join(out, `${text === '-' ? 'standard-input' : baseName(text!)}.safetensors`),
  );
  const double = paths.find((path, index) => paths.indexOf(path) !== index);
  if (double !== undefined)
    throw new InputError(`${double} would hold two of the texts; give texts of different names`);
  return paths;
}

/** One text's run, and what its file holds. */
interface CaptureJob {
  readonly ids: Int32Array<ArrayBuffer>;
  readonly hooks: PlannedHooks;
  /** Bytes of the named activations, besides those of any run. */
  readonly extra: number;
  declare(logits: 'none' | 'maxima' | 'all'): TensorDeclaration[];
}

function jobOf(
  description: ModelDescription,
  ids: Int32Array<ArrayBuffer>,
  requests: readonly CaptureRequest[] | undefined,
): CaptureJob {
  const { config } = description;
  const tokens = ids.length;
  const hooks = new PlannedHooks(
    description.hooks(tokens),
    { capture: requests ?? [] },
    { sequences: 1, tokens },
  );
  const captures = hooks.captures.map(({ spec, shape }) => ({ name: spec.name, shape }));
  return {
    ids,
    hooks,
    extra: description.activationBytes(1, tokens, hooks) - description.activationBytes(1, tokens),
    declare: (logits) =>
      requests
        ? activationTensors(config, tokens, captures, logits === 'all' ? 'all' : 'none')
        : captureTensors(config, tokens, logits),
  };
}

/**
 * Runs the model and writes each state or activation, and each tile of logits, as it comes: those of a block are in memory
 * at a time.
 */
async function runInto(
  writer: SafetensorsWriter,
  run: {
    gpu: Gpu;
    model: Model;
    ids: Int32Array;
    logits: boolean;
    capture: readonly CaptureRequest[] | undefined;
  },
  { terminal, signal }: CommandContext,
): Promise<void> {
  const { gpu, model, ids, capture } = run;
  const { vocabulary, width } = model.config;
  const state = new Float32Array(capture ? 0 : ids.length * width);
  const { maxLogSoftmax, argmax } = await model.run([ids], {
    signal,
    onProgress: terminal.stage('forward'),
    ...(capture
      ? {
          capture,
          logits: run.logits,
          onActivation: ({ name, values }) => writer.append(name, values),
        }
      : {
          onState: async ({ name, tensor }) => {
            await writer.append(name, await gpu.readFloats(tensor, state));
          },
        }),
    ...(run.logits && {
      onLogits: async ({ firstToken, tokens, values }) => {
        for (let row = 0; row < ids.length; row += 1) {
          const offset = 4 * (row * vocabulary + firstToken);
          await writer.writeAt('logits', offset, values.subarray(row * tokens, (row + 1) * tokens));
        }
      },
    }),
  });
  if (!maxLogSoftmax || !argmax) return;
  await writer.append('max_log_softmax', maxLogSoftmax[0]!);
  await writer.append('argmax', argmax[0]!);
}
