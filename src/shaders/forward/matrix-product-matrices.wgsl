// Matrix product over subgroup matrices, the units of GPUs that multiply small matrices at once. It computes what
// matrix-product.wgsl does, with the same operands:
//
//   output[m, firstOutput + firstColumn + n] = activation(previous[m, n] + Σ_k input[m, firstInput + k] · weight[k, n] + bias[n])
//
// Such units take F16. So each factor is SPLIT in two F16 (11 bits each) that stand for F32's 24 bits but one at most:
//
//   x · 2^s = high + low / 2048        high · high' + (high · low' + low · high') / 2048 ≈ x · x' · 2^(s + s')
//
// The scale 2^s of each row of the input and each column of the weight brings its largest term between 2^14 and 2^15: a row
// or column may be any number of times as large as the others, and a term 2^-28 times the largest of its row still has
// all its bits. What is left out, low · low', is 2^-24 of the largest product. F16 and BF16 weights have no low part.
// (After Ootomo and Yokota, Recovering single precision accuracy from Tensor Cores, 2022: the scaled low part, and sums
// outside of the units, whose own additions may not round to the nearest.) Units that take F32 need no split.
//
// A workgroup of four subgroups makes a tile of 4 × 4 matrices, each subgroup 2 × 2 of them; subgroups that are smaller than
// the largest leave some idle. Its threads find the largest terms, then stage the parts, 16 terms at a time. After SPAN
// terms sums leave the matrices for the threads' own totals (blocked summation, as in matrix-product.wgsl). The parts
// beyond an edge are zeros. The grid is (columns / TILE_COLUMNS, rows / TILE_ROWS).
//
// Before this text stand the directives, `alias Part`, and the constants SPLIT, THREADS (four subgroups of the largest
// size), MATRIX_ROWS, MATRIX_COLUMNS and MATRIX_TERMS (a divisor of 16). Includes snippets/packed-weights.wgsl,
// snippets/activation.wgsl and snippets/subgroup-matrices.wgsl.

struct Shape {
  rows: u32,
  columns: u32,
  inner: u32,
  inputStride: u32,
  firstInput: u32,
  outputStride: u32,
  firstOutput: u32,
  firstColumn: u32,
  firstWeight: u32,
  columnStep: u32,
  innerStep: u32,
  hasBias: u32,
  accumulate: u32,
  activation: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

override transposed: bool = false;

const DEPTH = 16u;
const SPAN = 128u;
const TILE_ROWS = 4u * MATRIX_ROWS;
const TILE_COLUMNS = 4u * MATRIX_COLUMNS;
const INPUTS = TILE_ROWS * DEPTH;
const WEIGHTS = TILE_COLUMNS * DEPTH;
// Of one matrix; of those that the four subgroups hold at the same place; of these, one thread's.
const ELEMENTS = MATRIX_ROWS * MATRIX_COLUMNS;
const RESULTS = 4u * ELEMENTS;
const OWN = (RESULTS + THREADS - 1u) / THREADS;
const LOW_UNIT = 2048.0;

// [row][term]
var<workgroup> inputHigh: array<Part, INPUTS>;
var<workgroup> inputLow: array<Part, select(1u, INPUTS, SPLIT)>;
// [column][term] where `transposed`, else [term][column]: neighbouring threads read neighbouring weights, and store them so.
var<workgroup> weightHigh: array<Part, WEIGHTS>;
var<workgroup> weightLow: array<Part, select(1u, WEIGHTS, SPLIT)>;
var<workgroup> results: array<f32, RESULTS>;
// The bits of the largest magnitudes: they are in the order of the numbers, infinity and NaN above all others.
var<workgroup> inputMax: array<atomic<u32>, TILE_ROWS>;
var<workgroup> weightMax: array<atomic<u32>, TILE_COLUMNS>;

fn inputAt(m: u32, k: u32) -> f32 {
  if (m < shape.rows && k < shape.inner) {
    return input[m * shape.inputStride + shape.firstInput + k];
  }
  return 0.0;
}

fn weightAt(n: u32, k: u32) -> f32 {
  if (n < shape.columns && k < shape.inner) {
    let element = shape.firstWeight + k * shape.innerStep + n * shape.columnStep;
    return widen(weight[wordOf(element)], element);
  }
  return 0.0;
}

// Column and term of a place in the tile of weights.
fn weightPlace(at: u32) -> vec2<u32> {
  return select(vec2(at % TILE_COLUMNS, at / TILE_COLUMNS), vec2(at / DEPTH, at % DEPTH), transposed);
}

fn magnitudeBits(x: f32) -> u32 {
  return bitcast<u32>(x) & 0x7fffffffu;
}

// A place belongs to one row or column in every tile, so that one atomic operation for each is enough.
fn findMaxima(firstRow: u32, firstColumn: u32, thread: u32) {
  for (var at = thread; at < INPUTS; at += THREADS) {
    var bits = 0u;
    for (var start = 0u; start < shape.inner; start += DEPTH) {
      bits = max(bits, magnitudeBits(inputAt(firstRow + at / DEPTH, start + at % DEPTH)));
    }
    atomicMax(&inputMax[at / DEPTH], bits);
  }
  for (var at = thread; at < WEIGHTS; at += THREADS) {
    let place = weightPlace(at);
    var bits = 0u;
    for (var start = 0u; start < shape.inner; start += DEPTH) {
      bits = max(bits, magnitudeBits(weightAt(firstColumn + place.x, start + place.y)));
    }
    atomicMax(&weightMax[place.x], bits);
  }
}

// The biased exponent of a maximum, not so small that a scale would be infinite.
fn exponentOf(bits: u32) -> u32 {
  return max(bits >> 23u, 15u);
}

fn scaleOf(bits: u32) -> f32 {
  return select(1.0, bitcast<f32>((268u - exponentOf(bits)) << 23u), SPLIT);
}

fn inverseOf(bits: u32) -> f32 {
  return select(1.0, bitcast<f32>((exponentOf(bits) - 14u) << 23u), SPLIT);
}

// F16 that F32 can hold: eleven bits, the last one rounded, or zero where F16 would be subnormal, which a device may flush. It
// is done here, because conversions may round either way. Infinity and NaN stay.
fn rounded(x: f32) -> f32 {
  let bits = (bitcast<u32>(x) + 0x1000u) & 0xffffe000u;
  return select(0.0, bitcast<f32>(bits), magnitudeBits(x) >= 0x38800000u);
}

fn stageInput(firstRow: u32, start: u32, thread: u32) {
  for (var at = thread; at < INPUTS; at += THREADS) {
    let row = at / DEPTH;
    let x = inputAt(firstRow + row, start + at % DEPTH) * scaleOf(atomicLoad(&inputMax[row]));
    if (SPLIT) {
      let high = rounded(x);
      inputHigh[at] = Part(high);
      inputLow[at] = Part(rounded((x - high) * LOW_UNIT));
    } else {
      inputHigh[at] = Part(x);
    }
  }
}

fn stageWeight(firstColumn: u32, start: u32, thread: u32) {
  for (var at = thread; at < WEIGHTS; at += THREADS) {
    let place = weightPlace(at);
    let x = weightAt(firstColumn + place.x, start + place.y) * scaleOf(atomicLoad(&weightMax[place.x]));
    if (SPLIT) {
      let high = rounded(x);
      weightHigh[at] = Part(high);
      if (weightFormat == 0u) {
        weightLow[at] = Part(rounded((x - high) * LOW_UNIT));
      }
    } else {
      weightHigh[at] = Part(x);
    }
  }
}

// Adds the matrices that the four subgroups hold at one of their four places to the threads' totals. All threads come here.
fn drain(
  sum: Sum, place: u32, factor: f32, subgroup: u32, thread: u32, totals: ptr<function, array<f32, 4u * OWN>>,
) {
  if (subgroup < 4u) {
    keepSum(sum, subgroup * ELEMENTS);
  }
  workgroupBarrier();
  for (var i = 0u; i < OWN; i++) {
    let at = thread + i * THREADS;
    if (at < RESULTS) {
      totals[place * OWN + i] = fma(results[at], factor, totals[place * OWN + i]);
    }
  }
  workgroupBarrier();
}

fn store(firstRow: u32, firstColumn: u32, row: u32, column: u32, total: f32) {
  let m = firstRow + row;
  let n = firstColumn + column;
  if (m < shape.rows && n < shape.columns) {
    let ofRow = inverseOf(atomicLoad(&inputMax[row]));
    let ofColumn = inverseOf(atomicLoad(&weightMax[column]));
    // The smaller one first: the other order could overflow between.
    var sum = total * min(ofRow, ofColumn) * max(ofRow, ofColumn);
    let at = shape.firstOutput + m * shape.outputStride + shape.firstColumn + n;
    if (shape.hasBias != 0u) {
      sum += bias[shape.firstColumn + n];
    }
    if (shape.accumulate != 0u) {
      sum += output[at];
    }
    output[at] = activate(sum, shape.activation);
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) tile: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let firstRow = tile.y * TILE_ROWS;
  let firstColumn = tile.x * TILE_COLUMNS;
  if (SPLIT) {
    findMaxima(firstRow, firstColumn, thread);
  }
  // The subgroup's first row and column in the tile.
  let m = (subgroup / 2u) * 2u * MATRIX_ROWS;
  let n = (subgroup % 2u) * 2u * MATRIX_COLUMNS;
  var low0 = Sum();
  var low1 = Sum();
  var low2 = Sum();
  var low3 = Sum();
  var totals = array<f32, 4u * OWN>();

  for (var span = 0u; span < shape.inner; span += SPAN) {
    var high0 = Sum();
    var high1 = Sum();
    var high2 = Sum();
    var high3 = Sum();
    for (var start = span; start < min(span + SPAN, shape.inner); start += DEPTH) {
      workgroupBarrier();
      stageInput(firstRow, start, thread);
      stageWeight(firstColumn, start, thread);
      workgroupBarrier();
      if (subgroup < 4u) {
        for (var k = 0u; k < DEPTH; k += MATRIX_TERMS) {
          let left0 = leftHigh(m, k);
          let left1 = leftHigh(m + MATRIX_ROWS, k);
          let right0 = rightHigh(n, k);
          let right1 = rightHigh(n + MATRIX_COLUMNS, k);
          high0 = addProduct(left0, right0, high0);
          high1 = addProduct(left0, right1, high1);
          high2 = addProduct(left1, right0, high2);
          high3 = addProduct(left1, right1, high3);
          if (SPLIT) {
            let lowLeft0 = leftLow(m, k);
            let lowLeft1 = leftLow(m + MATRIX_ROWS, k);
            low0 = addProduct(lowLeft0, right0, low0);
            low1 = addProduct(lowLeft0, right1, low1);
            low2 = addProduct(lowLeft1, right0, low2);
            low3 = addProduct(lowLeft1, right1, low3);
            if (weightFormat == 0u) {
              let lowRight0 = rightLow(n, k);
              let lowRight1 = rightLow(n + MATRIX_COLUMNS, k);
              low0 = addProduct(left0, lowRight0, low0);
              low1 = addProduct(left0, lowRight1, low1);
              low2 = addProduct(left1, lowRight0, low2);
              low3 = addProduct(left1, lowRight1, low3);
            }
          }
        }
      }
    }
    drain(high0, 0u, 1.0, subgroup, thread, &totals);
    drain(high1, 1u, 1.0, subgroup, thread, &totals);
    drain(high2, 2u, 1.0, subgroup, thread, &totals);
    drain(high3, 3u, 1.0, subgroup, thread, &totals);
  }
  if (SPLIT) {
    drain(low0, 0u, 1.0 / LOW_UNIT, subgroup, thread, &totals);
    drain(low1, 1u, 1.0 / LOW_UNIT, subgroup, thread, &totals);
    drain(low2, 2u, 1.0 / LOW_UNIT, subgroup, thread, &totals);
    drain(low3, 3u, 1.0 / LOW_UNIT, subgroup, thread, &totals);
  }

  for (var i = 0u; i < 4u * OWN; i++) {
    let at = thread + (i % OWN) * THREADS;
    if (at < RESULTS) {
      let place = i / OWN;
      let owner = at / ELEMENTS;
      let row = (2u * (owner / 2u) + place / 2u) * MATRIX_ROWS + (at % ELEMENTS) / MATRIX_COLUMNS;
      let column = (2u * (owner % 2u) + place % 2u) * MATRIX_COLUMNS + at % MATRIX_COLUMNS;
      store(firstRow, firstColumn, row, column, totals[i]);
    }
  }
}
