import type { Command } from 'commander';
import { captureTensors } from '../../analysis/output-files.ts';
import { describeModel } from '../../engine/description.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { InputError, NumericalError } from '../../engine/errors.ts';
import { Model } from '../../engine/model.ts';
import { checkSequences } from '../../engine/sequences.ts';
import { checkWritableFile } from '../atomic.ts';
import { defaultModel } from '../bundled.ts';
import { folderFiles } from '../files.ts';
import { findModel } from '../model-source.ts';
import { nonEmpty } from '../options.ts';
import { SafetensorsWriter } from '../safetensors-writer.ts';
import { readTokens, textListeners } from '../token-source.ts';
import type { TokenFlags } from '../token-source.ts';
import type { CommandContext } from './context.ts';
import { addTokenOptions } from './profile.ts';

interface CaptureFlags extends TokenFlags {
  readonly out: string;
  readonly logits?: boolean;
  readonly revision?: string;
}

/**
 * `laminar capture`: every state of one sequence, in a safetensors file. Of an ids file with a real and a shuffled
 * sequence it takes the real one; to capture the other, give it as an array.
 */
export function addCaptureCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('capture')
    .description('write every hidden state of a text (and its logits) to a safetensors file')
    .argument('[model]', 'a folder, a hub id such as gpt2-xl, or a bundled model', defaultModel);
  addTokenOptions(command)
    .option('--revision <name>', 'branch, tag or commit on the hub')
    .option('--logits', 'write the logits [T, V] too')
    .requiredOption('--out <file>', 'the safetensors file to write', nonEmpty('--out'))
    .action(async (model: string, flags: CaptureFlags) => {
      await capture(model, flags, context);
    });
}

async function capture(reference: string, flags: CaptureFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const files = folderFiles(source.folder);
  const onNotice = (notice: string) => terminal.notice(notice);
  const description = await describeModel(files, { onNotice });
  try {
    const { config } = description;
    const { real: ids } = await readTokens(flags, files, config, signal, textListeners(terminal));
    checkSequences(config, [ids]);
    if (flags.logits && !description.hasHead) {
      throw new InputError(`--logits: ${description.name} has no head, so there are no logits; leave it out`);
    }
    await checkWritableFile(flags.out);
    using gpu = await context.openGpu(description.sizes.all);
    const model = await Model.load(gpu, description, {
      signal,
      mostTokens: ids.length,
      onProgress: terminal.stage('load', 'bytes'),
    });
    const fault = await model.logitsFault(signal);
    if (fault !== undefined && flags.logits) throw new NumericalError(`--logits: ${fault}; leave it out`);
    if (fault !== undefined && description.hasHead) onNotice(fault);
    const logits = fault !== undefined ? 'none' : flags.logits ? 'all' : 'maxima';
    const tensors = captureTensors(model.config, ids.length, logits);
    const writer = await SafetensorsWriter.create(flags.out, tensors);
    try {
      await writer.append('ids', ids);
      await runInto(writer, { gpu, model, ids, logits: flags.logits === true }, context);
      signal.throwIfAborted();
      await writer.commit();
    } finally {
      await writer.abort();
    }
    terminal.endStages();
    process.stdout.write(
      `${flags.out}: ${tensors.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ')}\n`,
    );
  } finally {
    await description.close();
  }
}

/** Runs the model and writes each state, and each tile of logits, as it comes: one of them is in memory at a time. */
async function runInto(
  writer: SafetensorsWriter,
  run: { gpu: Gpu; model: Model; ids: Int32Array; logits: boolean },
  { terminal, signal }: CommandContext,
): Promise<void> {
  const { gpu, model, ids } = run;
  const { vocabulary, width } = model.config;
  const state = new Float32Array(ids.length * width);
  const { maxLogSoftmax, argmax } = await model.run([ids], {
    signal,
    onProgress: terminal.stage('forward'),
    onState: async ({ name, tensor }) => {
      await writer.append(name, await gpu.readFloats(tensor, state));
    },
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
