import type { Command } from 'commander';
import { layerDimensions } from '../../analysis/dimensions.ts';
import { spectrumScratch } from '../../analysis/profile.ts';
import { jsonText } from '../../analysis/json.ts';
import { fixed, formatPercent } from '../../analysis/quantities.ts';
import { profileDefaults } from '../../analysis/report.ts';
import type { LayerReport } from '../../analysis/report.ts';
import { computeSpectra } from '../../analysis/spectrum.ts';
import type { MatrixView } from '../../analysis/spectrum/matrix-view.ts';
import { countedComponents, readThreshold } from '../../analysis/threshold.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { openMatrices } from '../matrix-source.ts';
import type { MatrixSource } from '../matrix-source.ts';
import { nonEmpty } from '../options.ts';
import { formatTable } from '../table.ts';
import type { CommandContext } from './context.ts';

/** The matrices on the GPU at once take at most this much, or an eighth of a smaller --gpu-memory. */
const BATCH_BYTES = 256 * 2 ** 20;

interface SpectrumFlags {
  readonly tensor?: string;
  readonly threshold: number;
  readonly json?: boolean;
}

/** A matrix's answer: its singular values, and the fields of one layer of report.json. */
interface SliceSpectrum extends LayerReport {
  readonly singular_values: readonly number[];
}

/** `laminar spectrum`: how many dimensions any activations use, from a .npy or safetensors file. */
export function addSpectrumCommand(program: Command, context: CommandContext): void {
  program
    .command('spectrum')
    .description(
      'measure any activations: a matrix [T, d] or a stack [L, T, d] from a .npy or safetensors file',
    )
    .argument('<file>', 'FILE.npy or FILE.safetensors')
    .option('--tensor <name>', 'the tensor to measure, where the file holds several', nonEmpty('--tensor'))
    .option(
      '--threshold <percent>',
      'variance that the effective dimension exceeds',
      readThreshold,
      profileDefaults.threshold,
    )
    .option('--json', 'print JSON')
    .action(async (file: string, flags: SpectrumFlags) => {
      await using source = await openMatrices(file, flags.tensor);
      using gpu = await context.openGpu();
      const slices = await measureSlices(gpu, source, flags.threshold, context);
      context.terminal.endStages();
      process.stdout.write(flags.json ? toJson(source, slices) : toTable(source, slices, flags.threshold));
    });
}

async function measureSlices(
  gpu: Gpu,
  source: MatrixSource,
  threshold: number,
  { terminal, signal }: CommandContext,
): Promise<SliceSpectrum[]> {
  const { slices, rows, columns } = source;
  const onProgress = terminal.stage('spectrum');
  const bytes = 4 * rows * columns;
  const most = Math.max(1, Math.floor(Math.min(BATCH_BYTES, gpu.memoryLimit / 8) / bytes));
  const measured: SliceSpectrum[] = [];
  for (let first = 0; first < slices; first += most) {
    const matrices: MatrixView[] = [];
    try {
      for (let slice = first; slice < Math.min(first + most, slices); slice += 1) {
        signal.throwIfAborted();
        const name = slices === 1 ? source.name : `${source.name}, slice ${slice}`;
        const buffer = gpu.allocate(name, bytes);
        matrices.push({ name, buffer, offset: 0, rows, columns });
        gpu.write(buffer, 0, await source.read(slice));
      }
      const spectra = await computeSpectra(gpu, matrices, {
        signal,
        scratchBytes: spectrumScratch(gpu),
        onProgress: (done, total) => {
          onProgress(first + Math.floor((matrices.length * done) / total), slices);
        },
      });
      spectra.forEach(({ singularValues, cumulativePercent }, index) => {
        measured.push({
          singular_values: Array.from(singularValues),
          layer: first + index,
          ...layerDimensions(singularValues, rows, columns, threshold, cumulativePercent),
        });
      });
    } finally {
      for (const { buffer } of matrices) gpu.free(buffer);
    }
  }
  return measured;
}

/** A matrix gives its fields beside its shape; a stack gives them a slice, under `layers`. */
function toJson({ tensor, rows, columns, isStack }: MatrixSource, slices: readonly SliceSpectrum[]): string {
  const answer = isStack ? { layers: slices } : slices[0];
  return jsonText({ tensor, rows, columns, ...answer }, 'spectrum');
}

function toTable(source: MatrixSource, slices: readonly SliceSpectrum[], threshold: number): string {
  const header = ['slice', 'effective', 'rank', '% of rank', 'top %', 'participation', 'entropy', 'stable'];
  const rows = slices.map((slice) => [
    String(slice.layer),
    String(slice.effective_dimension),
    `${slice.rank} of ${slice.components}`,
    formatPercent(slice.percent_of_rank),
    formatPercent(slice.top_percent),
    fixed(slice.participation_ratio, 1),
    fixed(slice.entropy_rank, 1),
    fixed(slice.stable_rank, 2),
  ]);
  const title = `${source.name}: ${source.rows} rows of ${source.columns}; effective dimension: ${countedComponents(threshold)}`;
  return `${title}\n${formatTable(header, rows)}`;
}
