import type { Command } from 'commander';
import { measureMatrices } from '../../analysis/measure-matrices.ts';
import type { UnreadMatrix } from '../../analysis/measure-matrices.ts';
import { measureViews } from '../../analysis/measures/measure-views.ts';
import type { ViewRequest } from '../../analysis/measures/measure-views.ts';
import { profileDefaults } from '../../analysis/report.ts';
import { readThreshold } from '../../analysis/threshold.ts';
import { checkDimensions } from '../../analysis/views.ts';
import { FileError, InputError } from '../../engine/errors.ts';
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
    .argument('<file>', 'FILE.npy, FILE.npz or FILE.safetensors')
    .option(
      '--tensor <name>',
      'the tensor to measure, or several with * for any characters, such as "layer.*"; default all, where all are matrices',
      nonEmpty('--tensor'),
    )
    .option(
      '--threshold <percent>',
      'variance that the effective dimension exceeds',
      readThreshold,
      profileDefaults.threshold,
    );
  addViewOptions(command)
    .option('--json', 'print JSON, numbers in the units of the file')
    .addHelpText(
      'after',
      '\nExit codes: 1 where the file cannot be read or holds nothing to measure, 2 where a flag does not fit it.',
    )
    .action(async (path: string, flags: SpectrumFlags) => {
      await using file = await openMatrices(path, flags.tensor);
      for (const notice of file.notices) context.terminal.notice(notice);
      const request = viewRequest(flags);
      for (const { columns, name } of request ? file.sources : [])
        checkDimensions(request!.listedDimensions, columns, name);
      const measured = await measureFile(file, flags.threshold, request, context);
      const lines = flags.json
        ? spectrumJson(file, measured)
        : request
          ? viewsTable(file, measured, request.measures)
          : spectrumTable(file, measured, flags.threshold);
      await print(lines, flags.json === true);
    });
}

async function measureFile(
  file: MatrixFile,
  threshold: number,
  request: ViewRequest | undefined,
  context: CommandContext,
): Promise<AnsweredMatrix[]> {
  using gpu = await context.openGpu();
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
    // The flags are checked by now: a matrix that cannot be measured is the file's matter, and exit code 1.
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
        resolve(); // of failures process.stdout's own listener hears
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
