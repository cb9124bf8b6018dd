import { jsonText } from '../analysis/json.ts';
import type { MeasuredMatrix } from '../analysis/measure-matrices.ts';
import { fixed, formatPercent } from '../analysis/quantities.ts';
import { countedComponents } from '../analysis/threshold.ts';
import type { MatrixFile, MatrixSource } from './arrays/matrix-source.ts';
import { formatTable } from './table.ts';

/** A measured matrix and where it stands: in a tensor, and among all that were measured. */
interface Placed {
  readonly source: MatrixSource;
  readonly slice: number;
  readonly layer: number;
  readonly measured: MeasuredMatrix;
}

/**
 * The answer as JSON, in pieces. A matrix gives its fields beside its shape; a stack and a dict give them under `layers`,
 * a dict with the tensor and shape of each.
 */
export function* spectrumJson(file: MatrixFile, measured: readonly MeasuredMatrix[]): Generator<string> {
  const [first] = file.sources;
  const { tensor, rows, columns } = first!;
  const placed = place(file, measured);
  if (!file.isDict && !first!.isStack) {
    yield jsonText({ tensor, rows, columns, ...fields(placed.next().value!) }, file.name);
    return;
  }
  const head = file.isDict
    ? { tensor: null, rows: common(file, 'rows'), columns: common(file, 'columns') }
    : { tensor, rows, columns };
  yield `${jsonText(head, file.name).slice(0, -3)},\n  "layers": [`;
  for (const matrix of placed) {
    const layer = file.isDict ? { ...ofTensor(matrix), ...fields(matrix) } : fields(matrix);
    yield `${matrix.layer === 0 ? '' : ','}\n${jsonText(layer, file.name).trimEnd().replaceAll(/^/gm, '    ')}`;
  }
  yield '\n  ]\n}\n';
}

/** The answer as a table, in pieces. */
export function* spectrumTable(
  file: MatrixFile,
  measured: readonly MeasuredMatrix[],
  threshold: number,
): Generator<string> {
  const [rows, columns] = [common(file, 'rows'), common(file, 'columns')];
  const isMixed = rows === null || columns === null;
  const size = isMixed ? 'matrices of several sizes' : `${rows} rows of ${columns}`;
  const { isDict, sources } = file;
  const name = isDict ? `${file.name}, ${sources.length} tensors` : sources[0]!.name;
  const named = (matrix: Placed) =>
    matrix.source.isStack ? `${matrix.source.tensor}, slice ${matrix.slice}` : matrix.source.tensor!;
  const header = [
    isDict ? 'tensor' : 'slice',
    ...(isMixed ? ['rows', 'columns'] : []),
    'effective',
    'rank',
    '% of rank',
    'top %',
    'participation',
    'entropy',
    'stable',
  ];
  const lines = Array.from(place(file, measured), (matrix) => {
    const { dimensions } = matrix.measured;
    return [
      isDict ? named(matrix) : String(matrix.slice),
      ...(isMixed ? [String(matrix.source.rows), String(matrix.source.columns)] : []),
      String(dimensions.effective_dimension),
      `${dimensions.rank} of ${dimensions.components}`,
      formatPercent(dimensions.percent_of_rank),
      formatPercent(dimensions.top_percent),
      fixed(dimensions.participation_ratio, 1),
      fixed(dimensions.entropy_rank, 1),
      fixed(dimensions.stable_rank, 2),
    ];
  });
  yield `${name}: ${size}; effective dimension: ${countedComponents(threshold)}\n`;
  yield formatTable(header, lines);
}

function* place(file: MatrixFile, measured: readonly MeasuredMatrix[]): Generator<Placed, undefined> {
  let layer = 0;
  for (const source of file.sources) {
    for (let slice = 0; slice < source.slices; slice += 1, layer += 1)
      yield { source, slice, layer, measured: measured[layer]! };
  }
  return undefined;
}

/** A matrix's answer: its singular values, and the fields of one layer of report.json. */
function fields({ layer, measured }: Placed) {
  return { singular_values: Array.from(measured.singularValues), layer, ...measured.dimensions };
}

function ofTensor({ source, slice }: Placed) {
  const { tensor, rows, columns, isStack } = source;
  return { tensor, ...(isStack ? { slice } : {}), rows, columns };
}

/** What all tensors have in common; null where they differ. */
function common(file: MatrixFile, extent: 'rows' | 'columns'): number | null {
  const extents = new Set(file.sources.map((source) => source[extent]));
  return extents.size === 1 ? [...extents][0]! : null;
}
