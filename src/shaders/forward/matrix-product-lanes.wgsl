// The matrix product of matrix-product.wgsl where a CPU plays the GPU with subgroups of four lanes:
//
//   output[m, firstOutput + firstColumn + n] = previous[m, n] + Σ_k input[m, firstInput + k] · weight[k, n] + bias[n]
//
//   input   F32 [rows, inputStride]        columns firstInput … firstInput + inner - 1 are read
//   weight  packed; element (k, n) stands at firstWeight + k·innerStep + n·columnStep, in either layout
//   bias    F32 [≥ firstColumn + columns]  where `hasBias`
//   output  F32 [rows, outputStride]       `previous` is what it held before where `accumulate`; else 0
//
// A workgroup is one subgroup. Its four lanes make 16 rows × 32 columns, each lane eight columns of all rows. Of each
// row every lane loads one of four neighbouring elements and hands it to the others (subgroupBroadcast): a load costs
// such an adapter more than the sums that it feeds. It uses no barriers, and only registers. Sums run over 32 terms
// first and then over those, so that the rounding error grows with inner/32 + 32 (blocked summation: Higham, Accuracy
// and Stability of Numerical Algorithms, section 4.2). Such an adapter computes every branch, whichever is taken: so an
// activation is another kernel's. Includes snippets/packed-weights.wgsl and snippets/lane-operands.wgsl.

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

const LANES = 4u;
const ROWS = 16u;
// Of one lane.
const COLUMNS = 8u;
const DEPTH = 32u;

// The eight columns of one lane.
struct Eight {
  a: vec4<f32>,
  b: vec4<f32>,
}

fn addProduct(sums: Eight, x: f32, weights: Eight) -> Eight {
  return Eight(fma(vec4(x), weights.a, sums.a), fma(vec4(x), weights.b, sums.b));
}

struct Starts {
  a: vec4<u32>,
  b: vec4<u32>,
}

fn weightsAt(starts: Starts, at: u32) -> Eight {
  return Eight(fourWeights(starts.a, at), fourWeights(starts.b, at));
}

// Every row has a name of its own: an array would not stay in registers.
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let m = workgroup.y * ROWS;
  let n = (workgroup.x * LANES + lane) * COLUMNS;
  let columns = Starts(startsOfColumns(n), startsOfColumns(n + 4u));
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
  var total0 = Eight();
  var total1 = Eight();
  var total2 = Eight();
  var total3 = Eight();
  var total4 = Eight();
  var total5 = Eight();
  var total6 = Eight();
  var total7 = Eight();
  var total8 = Eight();
  var total9 = Eight();
  var total10 = Eight();
  var total11 = Eight();
  var total12 = Eight();
  var total13 = Eight();
  var total14 = Eight();
  var total15 = Eight();

  for (var start = 0u; start < inner; start += DEPTH) {
    let end = min(inner, start + DEPTH);
    var sum0 = Eight();
    var sum1 = Eight();
    var sum2 = Eight();
    var sum3 = Eight();
    var sum4 = Eight();
    var sum5 = Eight();
    var sum6 = Eight();
    var sum7 = Eight();
    var sum8 = Eight();
    var sum9 = Eight();
    var sum10 = Eight();
    var sum11 = Eight();
    var sum12 = Eight();
    var sum13 = Eight();
    var sum14 = Eight();
    var sum15 = Eight();
    for (var k = start; k < end; k += LANES) {
      // Where the terms are not a multiple of four, the last step has zeros beyond them.
      let at = min(k + lane, lastInner);
      let isIn = k + lane < inner;
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
        let weights = weightsAt(columns, min(k + 0u, lastInner) * innerStep);
        sum0 = addProduct(sum0, subgroupBroadcast(x0, 0u), weights);
        sum1 = addProduct(sum1, subgroupBroadcast(x1, 0u), weights);
        sum2 = addProduct(sum2, subgroupBroadcast(x2, 0u), weights);
        sum3 = addProduct(sum3, subgroupBroadcast(x3, 0u), weights);
        sum4 = addProduct(sum4, subgroupBroadcast(x4, 0u), weights);
        sum5 = addProduct(sum5, subgroupBroadcast(x5, 0u), weights);
        sum6 = addProduct(sum6, subgroupBroadcast(x6, 0u), weights);
        sum7 = addProduct(sum7, subgroupBroadcast(x7, 0u), weights);
        sum8 = addProduct(sum8, subgroupBroadcast(x8, 0u), weights);
        sum9 = addProduct(sum9, subgroupBroadcast(x9, 0u), weights);
        sum10 = addProduct(sum10, subgroupBroadcast(x10, 0u), weights);
        sum11 = addProduct(sum11, subgroupBroadcast(x11, 0u), weights);
        sum12 = addProduct(sum12, subgroupBroadcast(x12, 0u), weights);
        sum13 = addProduct(sum13, subgroupBroadcast(x13, 0u), weights);
        sum14 = addProduct(sum14, subgroupBroadcast(x14, 0u), weights);
        sum15 = addProduct(sum15, subgroupBroadcast(x15, 0u), weights);
      }
      {
        let weights = weightsAt(columns, min(k + 1u, lastInner) * innerStep);
        sum0 = addProduct(sum0, subgroupBroadcast(x0, 1u), weights);
        sum1 = addProduct(sum1, subgroupBroadcast(x1, 1u), weights);
        sum2 = addProduct(sum2, subgroupBroadcast(x2, 1u), weights);
        sum3 = addProduct(sum3, subgroupBroadcast(x3, 1u), weights);
        sum4 = addProduct(sum4, subgroupBroadcast(x4, 1u), weights);
        sum5 = addProduct(sum5, subgroupBroadcast(x5, 1u), weights);
        sum6 = addProduct(sum6, subgroupBroadcast(x6, 1u), weights);
        sum7 = addProduct(sum7, subgroupBroadcast(x7, 1u), weights);
        sum8 = addProduct(sum8, subgroupBroadcast(x8, 1u), weights);
        sum9 = addProduct(sum9, subgroupBroadcast(x9, 1u), weights);
        sum10 = addProduct(sum10, subgroupBroadcast(x10, 1u), weights);
        sum11 = addProduct(sum11, subgroupBroadcast(x11, 1u), weights);
        sum12 = addProduct(sum12, subgroupBroadcast(x12, 1u), weights);
        sum13 = addProduct(sum13, subgroupBroadcast(x13, 1u), weights);
        sum14 = addProduct(sum14, subgroupBroadcast(x14, 1u), weights);
        sum15 = addProduct(sum15, subgroupBroadcast(x15, 1u), weights);
      }
      {
        let weights = weightsAt(columns, min(k + 2u, lastInner) * innerStep);
        sum0 = addProduct(sum0, subgroupBroadcast(x0, 2u), weights);
        sum1 = addProduct(sum1, subgroupBroadcast(x1, 2u), weights);
        sum2 = addProduct(sum2, subgroupBroadcast(x2, 2u), weights);
        sum3 = addProduct(sum3, subgroupBroadcast(x3, 2u), weights);
        sum4 = addProduct(sum4, subgroupBroadcast(x4, 2u), weights);
        sum5 = addProduct(sum5, subgroupBroadcast(x5, 2u), weights);
        sum6 = addProduct(sum6, subgroupBroadcast(x6, 2u), weights);
        sum7 = addProduct(sum7, subgroupBroadcast(x7, 2u), weights);
        sum8 = addProduct(sum8, subgroupBroadcast(x8, 2u), weights);
        sum9 = addProduct(sum9, subgroupBroadcast(x9, 2u), weights);
        sum10 = addProduct(sum10, subgroupBroadcast(x10, 2u), weights);
        sum11 = addProduct(sum11, subgroupBroadcast(x11, 2u), weights);
        sum12 = addProduct(sum12, subgroupBroadcast(x12, 2u), weights);
        sum13 = addProduct(sum13, subgroupBroadcast(x13, 2u), weights);
        sum14 = addProduct(sum14, subgroupBroadcast(x14, 2u), weights);
        sum15 = addProduct(sum15, subgroupBroadcast(x15, 2u), weights);
      }
      {
        let weights = weightsAt(columns, min(k + 3u, lastInner) * innerStep);
        sum0 = addProduct(sum0, subgroupBroadcast(x0, 3u), weights);
        sum1 = addProduct(sum1, subgroupBroadcast(x1, 3u), weights);
        sum2 = addProduct(sum2, subgroupBroadcast(x2, 3u), weights);
        sum3 = addProduct(sum3, subgroupBroadcast(x3, 3u), weights);
        sum4 = addProduct(sum4, subgroupBroadcast(x4, 3u), weights);
        sum5 = addProduct(sum5, subgroupBroadcast(x5, 3u), weights);
        sum6 = addProduct(sum6, subgroupBroadcast(x6, 3u), weights);
        sum7 = addProduct(sum7, subgroupBroadcast(x7, 3u), weights);
        sum8 = addProduct(sum8, subgroupBroadcast(x8, 3u), weights);
        sum9 = addProduct(sum9, subgroupBroadcast(x9, 3u), weights);
        sum10 = addProduct(sum10, subgroupBroadcast(x10, 3u), weights);
        sum11 = addProduct(sum11, subgroupBroadcast(x11, 3u), weights);
        sum12 = addProduct(sum12, subgroupBroadcast(x12, 3u), weights);
        sum13 = addProduct(sum13, subgroupBroadcast(x13, 3u), weights);
        sum14 = addProduct(sum14, subgroupBroadcast(x14, 3u), weights);
        sum15 = addProduct(sum15, subgroupBroadcast(x15, 3u), weights);
      }
    }
    total0 = Eight(total0.a + sum0.a, total0.b + sum0.b);
    total1 = Eight(total1.a + sum1.a, total1.b + sum1.b);
    total2 = Eight(total2.a + sum2.a, total2.b + sum2.b);
    total3 = Eight(total3.a + sum3.a, total3.b + sum3.b);
    total4 = Eight(total4.a + sum4.a, total4.b + sum4.b);
    total5 = Eight(total5.a + sum5.a, total5.b + sum5.b);
    total6 = Eight(total6.a + sum6.a, total6.b + sum6.b);
    total7 = Eight(total7.a + sum7.a, total7.b + sum7.b);
    total8 = Eight(total8.a + sum8.a, total8.b + sum8.b);
    total9 = Eight(total9.a + sum9.a, total9.b + sum9.b);
    total10 = Eight(total10.a + sum10.a, total10.b + sum10.b);
    total11 = Eight(total11.a + sum11.a, total11.b + sum11.b);
    total12 = Eight(total12.a + sum12.a, total12.b + sum12.b);
    total13 = Eight(total13.a + sum13.a, total13.b + sum13.b);
    total14 = Eight(total14.a + sum14.a, total14.b + sum14.b);
    total15 = Eight(total15.a + sum15.a, total15.b + sum15.b);
  }
  // A loop, because one copy per element would take longer to compile than everything else.
  var totals = array<vec4<f32>, 2u * ROWS>(
    total0.a, total0.b,
    total1.a, total1.b,
    total2.a, total2.b,
    total3.a, total3.b,
    total4.a, total4.b,
    total5.a, total5.b,
    total6.a, total6.b,
    total7.a, total7.b,
    total8.a, total8.b,
    total9.a, total9.b,
    total10.a, total10.b,
    total11.a, total11.b,
    total12.a, total12.b,
    total13.a, total13.b,
    total14.a, total14.b,
    total15.a, total15.b,
  );
  for (var row = 0u; row < min(ROWS, shape.rows - m); row++) {
    for (var column = 0u; column < COLUMNS; column++) {
      if (n + column < shape.columns) {
        storeSum(m + row, n + column, totals[2u * row + column / 4u][column % 4u]);
      }
    }
  }
}
