// The matrix product of matrix-product.wgsl where a CPU plays the GPU with subgroups of eight lanes:
//
//   output[m, firstOutput + firstColumn + n] = previous[m, n] + Σ_k input[m, firstInput + k] · weight[k, n] + bias[n]
//
//   input   F32 [rows, inputStride]        columns firstInput … firstInput + inner - 1 are read
//   weight  packed; element (k, n) stands at firstWeight + k·innerStep + n·columnStep, in either layout
//   bias    F32 [≥ firstColumn + columns]  where `hasBias`
//   output  F32 [rows, outputStride]       `previous` is what it held before where `accumulate`; else 0
//
// A workgroup of eight threads makes 16 rows × 32 columns, each lane four columns of all rows. Of each row a lane loads
// one of four neighbouring elements, the same as the lane four before it, and hands it to the others: a load costs such an
// adapter more than the sums that it feeds. So subgroups may have four lanes, too, or a multiple of four. The grid is (columns
// / 32, rows / 16). Order of sums and edges are those of matrix-product-lanes.wgsl. Includes snippets/packed-weights.wgsl and
// snippets/lane-operands.wgsl.

enable subgroups;

struct Shape {
  rows: u32,
  columns: u32,
  inner: u32,
  inputStride: u32,
  firstInput: u32,
  outputStride: u32,
  // The output's first element: products next to each other make parts of one row.
  firstOutput: u32,
  firstColumn: u32,
  // The weight's first element, counted in elements from the start of the binding.
  firstWeight: u32,
  columnStep: u32,
  innerStep: u32,
  // Truth values.
  hasBias: u32,
  accumulate: u32,
  // For other variants; here the kernel `activate` follows.
  activation: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

const LANES = 8u;
const ROWS = 16u;
// Of one lane.
const COLUMNS = 4u;
const DEPTH = 32u;
// Terms that lanes load at once and hand round.
const TERMS = 4u;

// Every row has a name of its own: an array would not stay in registers.
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m = workgroup.y * ROWS;
  let n = (workgroup.x * LANES + lane) * COLUMNS;
  let columns = startsOfColumns(n);
  let inner = shape.inner;
  let innerStep = shape.innerStep;
  let lastInner = inner - 1u;
  let row0 = startOfRow(m + 0u);
  let row1 = startOfRow(m + 1u);
  let row2 = startOfRow(m + 2u);
  let row3 = startOfRow(m + 3u);
  let row4 = startOfRow(m + 4u);
  let row5 = startOfRow(m + 5u);
  let row6 = startOfRow(m + 6u);
  let row7 = startOfRow(m + 7u);
  let row8 = startOfRow(m + 8u);
  let row9 = startOfRow(m + 9u);
  let row10 = startOfRow(m + 10u);
  let row11 = startOfRow(m + 11u);
  let row12 = startOfRow(m + 12u);
  let row13 = startOfRow(m + 13u);
  let row14 = startOfRow(m + 14u);
  let row15 = startOfRow(m + 15u);
  var total0 = vec4<f32>();
  var total1 = vec4<f32>();
  var total2 = vec4<f32>();
  var total3 = vec4<f32>();
  var total4 = vec4<f32>();
  var total5 = vec4<f32>();
  var total6 = vec4<f32>();
  var total7 = vec4<f32>();
  var total8 = vec4<f32>();
  var total9 = vec4<f32>();
  var total10 = vec4<f32>();
  var total11 = vec4<f32>();
  var total12 = vec4<f32>();
  var total13 = vec4<f32>();
  var total14 = vec4<f32>();
  var total15 = vec4<f32>();

  for (var start = 0u; start < inner; start += DEPTH) {
    let end = min(inner, start + DEPTH);
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    var sum8 = vec4<f32>();
    var sum9 = vec4<f32>();
    var sum10 = vec4<f32>();
    var sum11 = vec4<f32>();
    var sum12 = vec4<f32>();
    var sum13 = vec4<f32>();
    var sum14 = vec4<f32>();
    var sum15 = vec4<f32>();
    for (var k = start; k < end; k += TERMS) {
      // Where the terms are not a multiple of four, the last step has zeros beyond them.
      let term = k + lane % TERMS;
      let at = min(term, lastInner);
      let isIn = term < inner;
      let x0 = select(0.0, input[row0 + at], isIn);
      let x1 = select(0.0, input[row1 + at], isIn);
      let x2 = select(0.0, input[row2 + at], isIn);
      let x3 = select(0.0, input[row3 + at], isIn);
      let x4 = select(0.0, input[row4 + at], isIn);
      let x5 = select(0.0, input[row5 + at], isIn);
      let x6 = select(0.0, input[row6 + at], isIn);
      let x7 = select(0.0, input[row7 + at], isIn);
      let x8 = select(0.0, input[row8 + at], isIn);
      let x9 = select(0.0, input[row9 + at], isIn);
      let x10 = select(0.0, input[row10 + at], isIn);
      let x11 = select(0.0, input[row11 + at], isIn);
      let x12 = select(0.0, input[row12 + at], isIn);
      let x13 = select(0.0, input[row13 + at], isIn);
      let x14 = select(0.0, input[row14 + at], isIn);
      let x15 = select(0.0, input[row15 + at], isIn);
      {
        let weights = fourWeights(columns, min(k + 0u, lastInner) * innerStep);
        sum0 = fma(vec4(subgroupBroadcast(x0, 0u)), weights, sum0);
        sum1 = fma(vec4(subgroupBroadcast(x1, 0u)), weights, sum1);
        sum2 = fma(vec4(subgroupBroadcast(x2, 0u)), weights, sum2);
        sum3 = fma(vec4(subgroupBroadcast(x3, 0u)), weights, sum3);
        sum4 = fma(vec4(subgroupBroadcast(x4, 0u)), weights, sum4);
        sum5 = fma(vec4(subgroupBroadcast(x5, 0u)), weights, sum5);
        sum6 = fma(vec4(subgroupBroadcast(x6, 0u)), weights, sum6);
        sum7 = fma(vec4(subgroupBroadcast(x7, 0u)), weights, sum7);
        sum8 = fma(vec4(subgroupBroadcast(x8, 0u)), weights, sum8);
        sum9 = fma(vec4(subgroupBroadcast(x9, 0u)), weights, sum9);
        sum10 = fma(vec4(subgroupBroadcast(x10, 0u)), weights, sum10);
        sum11 = fma(vec4(subgroupBroadcast(x11, 0u)), weights, sum11);
        sum12 = fma(vec4(subgroupBroadcast(x12, 0u)), weights, sum12);
        sum13 = fma(vec4(subgroupBroadcast(x13, 0u)), weights, sum13);
        sum14 = fma(vec4(subgroupBroadcast(x14, 0u)), weights, sum14);
        sum15 = fma(vec4(subgroupBroadcast(x15, 0u)), weights, sum15);
      }
      {
        let weights = fourWeights(columns, min(k + 1u, lastInner) * innerStep);
        sum0 = fma(vec4(subgroupBroadcast(x0, 1u)), weights, sum0);
        sum1 = fma(vec4(subgroupBroadcast(x1, 1u)), weights, sum1);
        sum2 = fma(vec4(subgroupBroadcast(x2, 1u)), weights, sum2);
        sum3 = fma(vec4(subgroupBroadcast(x3, 1u)), weights, sum3);
        sum4 = fma(vec4(subgroupBroadcast(x4, 1u)), weights, sum4);
        sum5 = fma(vec4(subgroupBroadcast(x5, 1u)), weights, sum5);
        sum6 = fma(vec4(subgroupBroadcast(x6, 1u)), weights, sum6);
        sum7 = fma(vec4(subgroupBroadcast(x7, 1u)), weights, sum7);
        sum8 = fma(vec4(subgroupBroadcast(x8, 1u)), weights, sum8);
        sum9 = fma(vec4(subgroupBroadcast(x9, 1u)), weights, sum9);
        sum10 = fma(vec4(subgroupBroadcast(x10, 1u)), weights, sum10);
        sum11 = fma(vec4(subgroupBroadcast(x11, 1u)), weights, sum11);
        sum12 = fma(vec4(subgroupBroadcast(x12, 1u)), weights, sum12);
        sum13 = fma(vec4(subgroupBroadcast(x13, 1u)), weights, sum13);
        sum14 = fma(vec4(subgroupBroadcast(x14, 1u)), weights, sum14);
        sum15 = fma(vec4(subgroupBroadcast(x15, 1u)), weights, sum15);
      }
      {
        let weights = fourWeights(columns, min(k + 2u, lastInner) * innerStep);
        sum0 = fma(vec4(subgroupBroadcast(x0, 2u)), weights, sum0);
        sum1 = fma(vec4(subgroupBroadcast(x1, 2u)), weights, sum1);
        sum2 = fma(vec4(subgroupBroadcast(x2, 2u)), weights, sum2);
        sum3 = fma(vec4(subgroupBroadcast(x3, 2u)), weights, sum3);
        sum4 = fma(vec4(subgroupBroadcast(x4, 2u)), weights, sum4);
        sum5 = fma(vec4(subgroupBroadcast(x5, 2u)), weights, sum5);
        sum6 = fma(vec4(subgroupBroadcast(x6, 2u)), weights, sum6);
        sum7 = fma(vec4(subgroupBroadcast(x7, 2u)), weights, sum7);
        sum8 = fma(vec4(subgroupBroadcast(x8, 2u)), weights, sum8);
        sum9 = fma(vec4(subgroupBroadcast(x9, 2u)), weights, sum9);
        sum10 = fma(vec4(subgroupBroadcast(x10, 2u)), weights, sum10);
        sum11 = fma(vec4(subgroupBroadcast(x11, 2u)), weights, sum11);
        sum12 = fma(vec4(subgroupBroadcast(x12, 2u)), weights, sum12);
        sum13 = fma(vec4(subgroupBroadcast(x13, 2u)), weights, sum13);
        sum14 = fma(vec4(subgroupBroadcast(x14, 2u)), weights, sum14);
        sum15 = fma(vec4(subgroupBroadcast(x15, 2u)), weights, sum15);
      }
      {
        let weights = fourWeights(columns, min(k + 3u, lastInner) * innerStep);
        sum0 = fma(vec4(subgroupBroadcast(x0, 3u)), weights, sum0);
        sum1 = fma(vec4(subgroupBroadcast(x1, 3u)), weights, sum1);
        sum2 = fma(vec4(subgroupBroadcast(x2, 3u)), weights, sum2);
        sum3 = fma(vec4(subgroupBroadcast(x3, 3u)), weights, sum3);
        sum4 = fma(vec4(subgroupBroadcast(x4, 3u)), weights, sum4);
        sum5 = fma(vec4(subgroupBroadcast(x5, 3u)), weights, sum5);
        sum6 = fma(vec4(subgroupBroadcast(x6, 3u)), weights, sum6);
        sum7 = fma(vec4(subgroupBroadcast(x7, 3u)), weights, sum7);
        sum8 = fma(vec4(subgroupBroadcast(x8, 3u)), weights, sum8);
        sum9 = fma(vec4(subgroupBroadcast(x9, 3u)), weights, sum9);
        sum10 = fma(vec4(subgroupBroadcast(x10, 3u)), weights, sum10);
        sum11 = fma(vec4(subgroupBroadcast(x11, 3u)), weights, sum11);
        sum12 = fma(vec4(subgroupBroadcast(x12, 3u)), weights, sum12);
        sum13 = fma(vec4(subgroupBroadcast(x13, 3u)), weights, sum13);
        sum14 = fma(vec4(subgroupBroadcast(x14, 3u)), weights, sum14);
        sum15 = fma(vec4(subgroupBroadcast(x15, 3u)), weights, sum15);
      }
    }
    total0 += sum0;
    total1 += sum1;
    total2 += sum2;
    total3 += sum3;
    total4 += sum4;
    total5 += sum5;
    total6 += sum6;
    total7 += sum7;
    total8 += sum8;
    total9 += sum9;
    total10 += sum10;
    total11 += sum11;
    total12 += sum12;
    total13 += sum13;
    total14 += sum14;
    total15 += sum15;
  }
  // A loop, because one copy per element would take longer to compile than everything else.
  var totals = array<vec4<f32>, ROWS>(
    total0, total1, total2, total3, total4, total5, total6, total7,
    total8, total9, total10, total11, total12, total13, total14, total15,
  );
  for (var row = 0u; row < min(ROWS, shape.rows - m); row++) {
    for (var column = 0u; column < COLUMNS; column++) {
      if (n + column < shape.columns) {
        storeSum(m + row, n + column, totals[row][column]);
      }
    }
  }
}
