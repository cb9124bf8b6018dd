import { counted, few } from '../../analysis/quantities.ts';
import { formatTable } from '../table.ts';
import type { BenchHead, ProfileBench, Rate } from './result.ts';

/** What `bench` prints without --json. */
export function describeProfileBench(result: ProfileBench): string {
  const { model, tokens, ceilings, forward, spectrum, kernels } = result;
  const { copies, multiply_add: multiplyAdd } = ceilings;
  const flopsRow = (name: string, flops: number) => [
    name,
    '',
    giga(flops, 'FLOP/s'),
    percent(flops / ceilings.flops),
    '',
    '',
  ];
  const copyRow = (name: string, bytes: number) => [
    name,
    '',
    '',
    '',
    giga(bytes, 'B/s'),
    percent(bytes / ceilings.bytes_per_second),
  ];
  const table = formatTable(
    ['', 'time', 'rate', 'of ceiling', 'memory', 'of ceiling'],
    [
      flopsRow('multiply-add, fma', multiplyAdd.fma),
      flopsRow('multiply-add, separate', multiplyAdd.separate),
      copyRow('copy, by command', copies.command),
      copyRow('copy, by kernel', copies.kernel),
      ...ceilings.matrix_products.map(({ rows, inner, columns, dtype, layout, flops }) =>
        flopsRow(`${rows} x ${inner} x ${columns} ${dtype} ${layout}`, flops),
      ),
      ['forward', ...rateCells(forward)],
      ['spectrum', ...rateCells(spectrum)],
    ],
  );
  const kernelTable = formatTable(
    ['kernel', 'calls', 'share', 'time', 'rate', 'of ceiling', 'memory', 'of ceiling'],
    (kernels ?? []).map((kernel) => [
      kernel.kernel,
      String(kernel.calls),
      percent(kernel.share),
      ...rateCells(kernel),
    ]),
  );
  return [
    `${describeHead(result)}${model.id}: ${counted(model.layers, 'layer')} of width ${model.width}, ${model.dtype} weights that `,
    `${model.resident ? 'stay' : 'stream'}, 2 x ${tokens} tokens\n\n`,
    table,
    `\n${few(forward.tokens_per_second, 3)} tokens/s; ${spectrum.matrices} spectra of ${tokens} x ${model.width}; `,
    `CPUs: ${formatSeconds(forward.cpu_seconds)} forward, ${formatSeconds(spectrum.cpu_seconds)} spectrum\n`,
    `the fastest of ${result.repetitions} profiles, each ${formatSeconds(result.whole.seconds)} and ${formatSeconds(result.whole.cpu_seconds)} of CPUs\n`,
    kernels
      ? `\n${kernelTable}\nMemory: operands and results once per call, as if caches held what is used again.\n`
      : '\nThis device has no timestamps: no times of kernels.\n',
  ].join('');
}

/** Adapter, versions and date, as every table needs them. */
export function describeHead({ adapter, versions, date }: BenchHead): string {
  const kind = adapter.software ? ' (software; not measured on hardware)' : '';
  const { laminar, node, webgpu } = versions;
  return `${adapter.description}${kind}; Laminar ${laminar}, webgpu ${webgpu ?? 'unknown'}, Node ${node}; ${date.slice(0, 10)}\n`;
}

function rateCells({ seconds, flops, of_flops, bytes_per_second, of_bytes }: Rate): string[] {
  return [
    formatSeconds(seconds),
    giga(flops, 'FLOP/s'),
    percent(of_flops),
    giga(bytes_per_second, 'B/s'),
    percent(of_bytes),
  ];
}

/** `12.3 ms` under a second, `1.23 s` from there. */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${few(1000 * seconds, 3)} ms` : `${few(seconds, 3)} s`;
}

function giga(value: number | null, unit: string): string {
  return value === null ? '–' : `${few(value / 1e9, 3)} G${unit}`;
}

export function percent(part: number | null): string {
  return part === null ? '–' : `${(100 * part).toFixed(1)}%`;
}
