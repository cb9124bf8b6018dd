import { readFixture } from '#platform';
import type { MatrixViews, MeasuredView } from '../../src/analysis/measures/measure-views.ts';
import { viewNames } from '../../src/analysis/views.ts';

/** What test/golden/measures expects of a matrix, in the layout of `spectrum --json`. */
export interface ExpectedMatrix extends MatrixViews {
  readonly rows: number;
  readonly columns: number;
  readonly listed_dimensions: number[];
}

export interface ExpectedPair {
  readonly files: readonly [string, string];
  readonly cka: { readonly debiased: number; readonly biased: number } | null;
  readonly angles: {
    readonly k: number;
    readonly cosines: readonly number[];
    readonly overlap: number;
    readonly gaps: readonly [number, number];
  } | null;
}

export interface ExpectedSequences {
  readonly listed_dimensions: readonly number[];
  readonly sequences: Readonly<Record<'real' | 'shuffled', readonly ExpectedMatrix[]>>;
  readonly pairs: {
    readonly real_shuffled_angles: readonly ExpectedPair['angles'][];
    readonly real_consecutive: readonly Pick<ExpectedPair, 'cka' | 'angles'>[];
  };
}

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await readFixture(`test/golden/measures/${name}`))) as unknown;
}

export async function readExpectedMeasures() {
  return (await readJson('expected.json')) as {
    readonly thresholds: readonly number[];
    readonly matrices: Readonly<Record<string, ExpectedMatrix>>;
    readonly pairs: Readonly<Record<string, ExpectedPair>>;
  };
}

export async function readExpectedSequences(): Promise<ExpectedSequences> {
  return (await readJson('expected-alice-pythia.json')) as ExpectedSequences;
}

/** A matrix of test/golden/measures: .npy, format 1, `<f4`, in C order. */
export async function readMeasuredMatrix(
  file: string,
): Promise<{ rows: number; columns: number; values: Float32Array<ArrayBuffer> }> {
  const bytes = await readFixture(`test/golden/measures/${file}`);
  const start = 10 + new DataView(bytes.buffer).getUint16(8, true);
  const header = new TextDecoder('latin1').decode(bytes.subarray(10, start));
  const [, rows, columns] = /'shape': \((\d+), (\d+)\)/.exec(header)!;
  if (!header.includes("'<f4'") || header.includes('True')) throw new Error(`${file}: ${header}`);
  return {
    rows: Number(rows),
    columns: Number(columns),
    values: new Float32Array(bytes.slice(start).buffer),
  };
}

/** How far a number may be off, and by what: relative to the expected one, or absolute. */
type Tolerance = readonly ['relative' | 'absolute', number];
const relative = (most: number): Tolerance => ['relative', most];
const absolute = (most: number): Tolerance => ['absolute', most];

/** By the path within a matrix's answer or a view's; the last that fits. Whatever is not named here is equal. */
const tolerances: readonly (readonly [path: RegExp, tolerance: Tolerance])[] = [
  [/^outliers\/(max_abs|median_abs|max_over_median)$/, relative(1e-12)],
  [/^tokens\/(first|median|max)$/, relative(1e-12)],
  [/^cumulative_percent/, absolute(5e-5)],
  [/^(variance|mean_over_spread|first_token_share|rank_tolerance)$/, relative(1e-5)],
  [/^(participation_ratio|entropy_rank|stable_rank|isoscore|top_percent|rankme)$/, relative(1e-4)],
  [/^alpha_req\/(alpha|alpha_ordinary)$/, relative(5e-4)],
  [/^alpha_req\/(r2|r2_ordinary)$/, absolute(2e-4)],
  [/^component_1\/share$/, relative(1e-4)],
  [/^component_1\/gap$/, absolute(3e-5)],
  [/^component_1\/(tokens|dimensions|next).*share$/, absolute(1e-5)],
  [/^mean_cosine/, absolute(3e-6)],
  [/^prompt_entropy/, absolute(5e-5)],
  [/^prompt_entropy\/maximum/, relative(1e-12)],
  [/^neighbours\/(twonn|gride|mle).*\/(fitted|ml|ml_error|dimension|error)$/, relative(1e-5)],
  [/^neighbours\/gride\/\d+\/scale$/, relative(3e-6)],
];

/** Paths with what they lead to: a/0/b. */
function* leaves(value: unknown, path = ''): Generator<[path: string, leaf: unknown]> {
  if (typeof value !== 'object' || value === null) yield [path, value];
  else for (const [key, inner] of Object.entries(value)) yield* leaves(inner, path ? `${path}/${key}` : key);
}

/** What a matrix's diagnostics and views differ in from the expected ones, by more than the golden page allows. */
export function matrixDifferences(actual: MatrixViews, expected: MatrixViews): string[] {
  const diagnostics = ({ outliers, tokens, listed_dimensions }: MatrixViews) => ({
    outliers,
    tokens,
    listed_dimensions,
  });
  const names = viewNames.filter((name) => expected.views[name] ?? actual.views[name]);
  return [
    ...leafDifferences(diagnostics(actual), diagnostics(expected)),
    ...names.flatMap((name) => {
      const differences = viewDifferences(actual.views[name], expected.views[name]);
      return differences.map((difference) => `${name}/${difference}`);
    }),
  ];
}

type AnyView = MeasuredView | { same_as: 'all' };

function viewDifferences(
  actual: AnyView = { same_as: 'all' },
  expected: AnyView = { same_as: 'all' },
): string[] {
  const { singular_values: values = [], ...others } = actual as Partial<MeasuredView>;
  const { singular_values: reference = [], ...expectedOthers } = expected as Partial<MeasuredView>;
  return [
    ...singularValueDifferences(values, reference, expectedOthers.rank_tolerance ?? 0),
    ...leafDifferences(others, expectedOthers),
  ];
}

function leafDifferences(actual: object, expected: object): string[] {
  const differences: string[] = [];
  const found = new Map(leaves(actual));
  for (const [path, leaf] of leaves(expected)) {
    const other = found.get(path);
    found.delete(path);
    if (isClose(other, leaf, path)) continue;
    const isNumbered = /^component_1\/(tokens|dimensions)\/\d\/(token|dimension)$/.test(path);
    if (isNumbered && !isSettled(expected as MeasuredView, path)) continue;
    differences.push(`${path}: ${String(other)}, not ${String(leaf)}`);
  }
  return [...differences, ...Array.from(found.keys(), (path) => `${path} is not expected`)];
}

function isClose(actual: unknown, expected: unknown, path: string): boolean {
  if (typeof actual !== 'number' || typeof expected !== 'number') return actual === expected;
  const [kind, most] = tolerances.findLast(([pattern]) => pattern.test(path))?.[1] ?? absolute(0);
  return Math.abs(actual - expected) <= most * (kind === 'relative' ? Math.abs(expected) : 1);
}

/** Whether the shares before and after a place differ by more than their tolerance, so that its number is sure. */
function isSettled({ component_1: component }: MeasuredView, path: string): boolean {
  const [, list, place] = path.split('/') as [string, 'tokens' | 'dimensions', string];
  if (!component) return true;
  const next = list === 'tokens' ? component.next_token_share : component.next_dimension_share;
  const shares = [...component[list].map(({ share }) => share), ...(next === null ? [] : [next])];
  const at = Number(place);
  const own = shares[at]!;
  return [shares[at - 1], shares[at + 1]].every(
    (other) => other === undefined || Math.abs(other - own) > 1e-5,
  );
}

function singularValueDifferences(
  values: readonly number[],
  reference: readonly number[],
  tolerance: number,
): string[] {
  if (values.length !== reference.length) return [`${values.length} σ, not ${reference.length}`];
  return reference.flatMap((value, index) => {
    const allowed = value > tolerance ? 1e-5 * value : 2e-7 * reference[0]!;
    const isNear = Math.abs(values[index]! - value) <= allowed;
    return isNear ? [] : [`σ ${index}: ${values[index]}, not ${value}`];
  });
}
