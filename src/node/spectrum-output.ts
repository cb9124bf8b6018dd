import { jsonText } from '../analysis/json.ts';
import type { MeasuredMatrix } from '../analysis/measure-matrices.ts';
import type { MatrixViews, MeasuredView } from '../analysis/measures/measure-views.ts';
import { cellsOf } from '../analysis/measures/table.ts';
import type { MeasureName } from '../analysis/measures/table.ts';
import { counted, fixed, formatPercent } from '../analysis/quantities.ts';
import { countedComponents } from '../analysis/threshold.ts';
import type { MatrixFile, MatrixSource } from './arrays/matrix-source.ts';
import { formatTable } from './table.ts';

/** A measured matrix, with its views if they were asked for. */
export interface AnsweredMatrix extends MeasuredMatrix {
  readonly viewed?: MatrixViews;
}

/** A measured matrix and where it stands: in a tensor, and among all that were measured. */
interface Placed {
  readonly source: MatrixSource;
  readonly slice: number;
  readonly layer: number;
  readonly measured: AnsweredMatrix;
}

/**
 * The answer as JSON, in pieces. A matrix gives its fields beside its shape; a stack and a dict give them under `layers`,
 * a dict with the tensor and shape of each.
 * @param isNamed whether it says of which file it is
 */
export function* spectrumJson(
  file: MatrixFile,
  measured: readonly AnsweredMatrix[],
  isNamed = false,
): Generator<string> {
  const named = isNamed ? { file: file.name } : {};
  const [first] = file.sources;
  const { tensor, rows, columns } = first!;
  const placed = place(file, measured);
  if (!file.isDict && !first!.isStack) {
    yield jsonText({ ...named, tensor, rows, columns, ...fields(placed.next().value!) }, file.name);
    return;
  }
  const head = file.isDict
    ? { tensor: null, rows: common(file, 'rows'), columns: common(file, 'columns') }
    : { tensor, rows, columns };
  yield `${jsonText({ ...named, ...head }, file.name).slice(0, -3)},\n  "layers": [`;
  for (const matrix of placed) {
    const layer = file.isDict ? { ...ofTensor(matrix), ...fields(matrix) } : fields(matrix);
    yield `${matrix.layer === 0 ? '' : ','}\n${jsonText(layer, file.name).trimEnd().replaceAll(/^/gm, '    ')}`;
  }
  yield '\n  ]\n}\n';
}

/** The answer as a table, in pieces. */
export function* spectrumTable(
  file: MatrixFile,
  measured: readonly AnsweredMatrix[],
  threshold: number,
): Generator<string> {
  const labels = new Labels(file);
  const header = ['effective', 'rank', '% of rank', 'top %', 'participation', 'entropy', 'stable'];
  const lines = Array.from(place(file, measured), (matrix) => {
    const { dimensions } = matrix.measured;
    return [
      ...labels.of(matrix),
      String(dimensions.effective_dimension),
      `${dimensions.rank} of ${dimensions.components}`,
      formatPercent(dimensions.percent_of_rank),
      formatPercent(dimensions.top_percent),
      fixed(dimensions.participation_ratio, 1),
      fixed(dimensions.entropy_rank, 1),
      fixed(dimensions.stable_rank, 2),
    ];
  });
  yield `${labels.title}; effective dimension: ${countedComponents(threshold)}\n`;
  yield formatTable([...labels.header, ...header], lines);
}

/** The chosen measures as a table, in pieces: a row for every view of every matrix. */
export function* viewsTable(
  file: MatrixFile,
  measured: readonly AnsweredMatrix[],
  names: readonly MeasureName[],
): Generator<string> {
  const labels = new Labels(file);
  const rows = Array.from(place(file, measured), (matrix) => {
    const { views, thresholds } = matrix.measured.viewed!;
    return Object.entries(views).map(([name, view]) => ({
      labels: [...labels.of(matrix), name],
      cells: cellsOf(names, thresholds, 'same_as' in view ? (views.all as MeasuredView) : view),
    }));
  }).flat();
  yield `${labels.title}\n`;
  yield formatTable(
    [...labels.header, 'view', ...rows[0]!.cells.map(({ title }) => title)],
    rows.map((row) => [...row.labels, ...row.cells.map(({ value, decimals }) => fixed(value, decimals))]),
  );
}

/** The columns that say in a table which matrix a row is of. */
class Labels {
  readonly title: string;
  readonly header: readonly string[];
  readonly #isMixed: boolean;

  constructor(private readonly file: MatrixFile) {
    const [rows, columns] = [common(file, 'rows'), common(file, 'columns')];
    this.#isMixed = rows === null || columns === null;
    const size =
      rows === null || columns === null
        ? 'matrices of several sizes'
        : `${counted(rows, 'row')} of ${columns}`;
    const { isDict, sources } = file;
    this.title = `${isDict ? `${file.name}, ${sources.length} tensors` : sources[0]!.name}: ${size}`;
    this.header = [isDict ? 'tensor' : 'slice', ...(this.#isMixed ? ['rows', 'columns'] : [])];
  }

  of({ source, slice }: Placed): string[] {
    const named = source.isStack ? `${source.tensor}, slice ${slice}` : source.tensor!;
    return [
      this.file.isDict ? named : String(slice),
      ...(this.#isMixed ? [String(source.rows), String(source.columns)] : []),
    ];
  }
}

function* place(file: MatrixFile, measured: readonly AnsweredMatrix[]): Generator<Placed, undefined> {
  let layer = 0;
  for (const source of file.sources) {
    for (let slice = 0; slice < source.slices; slice += 1, layer += 1)
      yield { source, slice, layer, measured: measured[layer]! };
  }
  return undefined;
}

/** A matrix's answer: its singular values, and the fields of one layer of report.json. */
function fields({ layer, measured }: Placed) {
  const { singularValues, dimensions, viewed } = measured;
  return { singular_values: Array.from(singularValues), layer, ...dimensions, ...viewed };
}

function ofTensor({ source, slice }: Placed) {
  const { tensor, rows, columns, isStack } = source;
  return { tensor, ...(isStack ? { slice } : {}), rows, columns };
}

/** What all tensors have in common; null if they differ. */
function common(file: MatrixFile, extent: 'rows' | 'columns'): number | null {
  const extents = new Set(file.sources.map((source) => source[extent]));
  return extents.size === 1 ? [...extents][0]! : null;
}
