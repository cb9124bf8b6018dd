import { matricesHead } from '../../src/engine/gpu/subgroup-matrices.ts';
import type { SubgroupMatrices } from '../../src/engine/gpu/subgroup-matrices.ts';
import { matrixProductMatrices } from '../../src/engine/kernels.ts';
import activationSnippet from '../../src/shaders/snippets/activation.wgsl?raw';
import packedWeightsSnippet from '../../src/shaders/snippets/packed-weights.wgsl?raw';

export const EMULATED_SHAPE = { rows: 2, columns: 4 } as const;

/**
 * What snippets/subgroup-matrices.wgsl says, without the feature: every thread holds whole sums, and a factor is the place
 * where it stands in workgroup memory. Matrices are 2 × 4, because that compiles fast.
 */
const EMULATION = `
struct Left {
  isLow: bool,
  m: u32,
  k: u32,
}

struct Right {
  isLow: bool,
  n: u32,
  k: u32,
}

alias Sum = mat2x4<f32>;

fn leftHigh(m: u32, k: u32) -> Left {
  return Left(false, m, k);
}

fn leftLow(m: u32, k: u32) -> Left {
  return Left(true, m, k);
}

fn rightHigh(n: u32, k: u32) -> Right {
  return Right(false, n, k);
}

fn rightLow(n: u32, k: u32) -> Right {
  return Right(true, n, k);
}

fn leftAt(left: Left, i: u32, k: u32) -> f32 {
  let at = (left.m + i) * DEPTH + left.k + k;
  if (left.isLow) {
    return inputLow[at];
  }
  return inputHigh[at];
}

fn rightAt(right: Right, j: u32, k: u32) -> f32 {
  let at = select((right.k + k) * TILE_COLUMNS + right.n + j, (right.n + j) * DEPTH + right.k + k, transposed);
  if (right.isLow) {
    return weightLow[at];
  }
  return weightHigh[at];
}

fn addProduct(left: Left, right: Right, before: Sum) -> Sum {
  var sum = before;
  for (var k = 0u; k < MATRIX_TERMS; k++) {
    let row = vec4(rightAt(right, 0u, k), rightAt(right, 1u, k), rightAt(right, 2u, k), rightAt(right, 3u, k));
    sum = Sum(fma(vec4(leftAt(left, 0u, k)), row, sum[0]), fma(vec4(leftAt(left, 1u, k)), row, sum[1]));
  }
  return sum;
}

fn keepSum(sum: Sum, at: u32) {
  for (var j = 0u; j < 4u; j++) {
    results[at + j] = sum[0][j];
    results[at + 4u + j] = sum[1][j];
  }
}
`;

/**
 * The product over subgroup matrices on a device that has none. F16 are F32 that hold the same numbers: the kernel rounds
 * its parts before it stores them.
 */
export function emulatedMatricesKernel({
  component,
  terms,
  threads,
}: Pick<SubgroupMatrices, 'component' | 'terms' | 'threads'>): typeof matrixProductMatrices {
  const matrices = { component, terms, threads, ...EMULATED_SHAPE };
  const head = matricesHead(matrices)
    .replace(/^enable (?!subgroups;).*\n/gm, '')
    .replace('alias Part = f16;', 'alias Part = f32;');
  const includes = [packedWeightsSnippet, activationSnippet, EMULATION];
  const name = `emulated-matrices-${component}-${terms}-${threads}`;
  return { ...matrixProductMatrices, name, head, includes };
}
