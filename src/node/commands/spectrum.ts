import type { Command } from 'commander';
import { measureMatrices } from '../../analysis/measure-matrices.ts';
import type { UnreadMatrix } from '../../analysis/measure-matrices.ts';
import { measureViews } from '../../analysis/measures/measure-views.ts';
import type { ViewRequest } from '../../analysis/measures/measure-views.ts';
import { profileDefaults } from '../../analysis/report.ts';
import { readThreshold } from '../../analysis/threshold.ts';
import { checkDimensions } from '../../analysis/views.ts';
import { FileError, InputError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { visibleLines } from '../../engine/message.ts';
import { openMatrices } from '../arrays/matrix-source.ts';
import type { MatrixFile } from '../arrays/matrix-source.ts';
import { flagWords } from '../flags.ts';
import { nonEmpty } from '../options.ts';
import { spectrumJson, spectrumTable, viewsTable } from '../spectrum-output.ts';
import type { AnsweredMatrix } from '../spectrum-output.ts';
import { addViewOptions, viewRequest } from '../view-options.ts';
import type { ViewFlags } from '../view-options.ts';
import type { CommandContext } from './context.ts';

/** Characters handed to stdout at once. */
const PIECE_LENGTH = 2 ** 20;

interface SpectrumFlags extends ViewFlags {
  readonly tensor?: string;
  readonly threshold: number;
  readonly json?: boolean;
}

/** `laminar spectrum`: how many dimensions any activations use, from a .npy, .npz or safetensors file. */
export function addSpectrumCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('spectrum')
    .description(
      'measure any activations: a matrix [T, d], a stack [L, T, d] or a dict of layers from a .npy, .npz or safetensors file',
    )
    .argument('<files...>', 'FILE.npy, FILE.npz or FILE.safetensors')
    .option(
      '--tensor <name>',
      'the tensor to measure, or several with * for any characters, such as "layer.*"; default all, if all are matrices',
      nonEmpty('--tensor'),
    )
    .option(
      '--threshold <percent>',
      'variance that the effective dimension exceeds',
      readThreshold,
      profileDefaults.threshold,
    );
  addViewOptions(command)
    .option('--json', 'print JSON, numbers in the units of the file; for several files, a list')
    .addHelpText(
      'after',
      '\nExit codes: 1 if the file cannot be read or holds nothing to measure, 2 if a flag does not suit it.',
    )
    .action(async (paths: string[], flags: SpectrumFlags) => {
      const files: MatrixFile[] = [];
      try {
        // All are opened and checked before the first is measured, and measured before the first is printed.
        for (const path of paths) files.push(await openMatrices(path, flags.tensor));
        const measured = await measureFiles(files, flags, context);
        await print(answers(files, measured, flags), flags.json === true);
      } finally {
        for (const file of files) await file[Symbol.asyncDispose]();
      }
    });
}

/** The answer of every file, in pieces. */
function* answers(
  files: readonly MatrixFile[],
  measured: readonly (readonly AnsweredMatrix[])[],
  flags: SpectrumFlags,
): Generator<string> {
  const request = viewRequest(flags);
  const isList = files.length > 1;
  if (flags.json && isList) yield '[\n';
  for (const [index, file] of files.entries()) {
    const own = measured[index]!;
    if (index > 0) yield flags.json ? ',\n' : '\n';
    if (flags.json) yield* spectrumJson(file, own, isList);
    else if (request) yield* viewsTable(file, own, request.measures);
    else yield* spectrumTable(file, own, flags.threshold);
  }
  if (flags.json && isList) yield ']\n';
}

async function measureFiles(
  files: readonly MatrixFile[],
  flags: SpectrumFlags,
  context: CommandContext,
): Promise<AnsweredMatrix[][]> {
  const request = viewRequest(flags);
  for (const file of files) {
    for (const notice of file.notices) context.terminal.notice(notice);
    for (const { columns, name } of request ? file.sources : [])
      checkDimensions(request!.listedDimensions, columns, name);
  }
  using gpu = await context.openGpu();
  const measured: AnsweredMatrix[][] = [];
  for (const file of files) measured.push(await measureFile(gpu, file, flags.threshold, request, context));
  return measured;
}

async function measureFile(
  gpu: Gpu,
  file: MatrixFile,
  threshold: number,
  request: ViewRequest | undefined,
  context: CommandContext,
): Promise<AnsweredMatrix[]> {
  const matrices = file.sources.flatMap((source) =>
    Array.from({ length: source.slices }, (_, slice): UnreadMatrix => {
      const { rows, columns } = source;
      const name = source.isStack ? `${source.name}, slice ${slice}` : source.name;
      return { name, rows, columns, read: () => source.read(slice) };
    }),
  );
  const { signal, terminal } = context;
  const onProgress = terminal.stage('spectrum');
  const onNotice = (notice: string) => terminal.notice(notice);
  const options = { threshold, signal, onProgress };
  try {
    return request
      ? await measureViews(gpu, matrices, request, { ...options, onNotice })
      : await measureMatrices(gpu, matrices, options);
  } catch (error) {
    // The flags are checked by now. If a matrix cannot be measured, the file is the reason, and the exit code is 1.
    throw error instanceof InputError ? new FileError(error.inWords(flagWords), { cause: error }) : error;
  } finally {
    context.terminal.endStages();
  }
}

/** Prints pieces as they come: the whole may be longer than a string can be. */
async function print(pieces: Iterable<string>, isJson: boolean): Promise<void> {
  let text = '';
  const flush = () =>
    new Promise<void>((resolve) => {
      process.stdout.write(text, () => {
        resolve(); // process.stdout has a listener of its own for failures
      });
    });
  for (const piece of pieces) {
    text += isJson ? piece : visibleLines(piece);
    if (text.length < PIECE_LENGTH) continue;
    await flush();
    text = '';
  }
  await flush();
}
