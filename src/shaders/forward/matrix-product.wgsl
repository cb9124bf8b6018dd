// Matrix product with everything that follows it fused in:
//
//   output[m, firstOutput + firstColumn + n] = activation(previous[m, n] + Σ_k input[m, firstInput + k] · weight[k, n] + bias[n])
//
//   input   F32 [rows, inputStride]        columns firstInput … firstInput + inner - 1 are read
//   weight  packed; element (k, n) stands at firstWeight + k·innerStep + n·columnStep: [inner, columns] (Conv1D) or,
//           where `transposed`, [columns, inner] (Linear)
//   bias    F32 [≥ firstColumn + columns]  where `hasBias`
//   output  F32 [rows, outputStride]       `previous` is what it held before, where `accumulate` (the residual, or the
//                                          sum over earlier parts of a weight that is split by rows); else 0
//
// A workgroup of threadsX × threadsY makes a tile of 8·threadsY rows × 4·threadsX columns, each thread 8×4 of it in
// registers. Tiles of input and weight, 16 deep, are `staged` in workgroup memory; on a CPU that plays the GPU, where
// barriers cost more than the cache saves, each thread reads memory directly. Sums run within a 16-deep tile first
// and then over tiles, so that the rounding error grows with inner/16 + 16 and not with inner (blocked summation:
// Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
//
// Includes snippets/packed-weights.wgsl and snippets/activation.wgsl.

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
  // From one column's weight to the next's, and from one term's.
  columnStep: u32,
  innerStep: u32,
  // Truth values, and a code of `activate`: not constants, so that one pipeline serves every product of a model.
  hasBias: u32,
  accumulate: u32,
  activation: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

override threadsX: u32 = 16u;
override threadsY: u32 = 8u;
override transposed: bool = false;
override staged: bool = true;
// Where false the activation is another kernel's: some adapters compute every branch, whichever is taken.
override activates: bool = true;

const DEPTH = 16u;
// The register tile of a thread.
const ROWS = 8u;
const COLUMNS = 4u;
override tileRows: u32 = ROWS * threadsY;
override tileColumns: u32 = COLUMNS * threadsX;
override threads: u32 = threadsX * threadsY;

// Both tiles lie with depth outermost.
var<workgroup> inputTile: array<f32, DEPTH * tileRows>;
var<workgroup> weightTile: array<f32, DEPTH * tileColumns>;

fn weightAt(element: u32) -> f32 {
  return widen(weight[wordOf(element)], element);
}

// Beyond the edges both repeat the last row or column: what they give there is never stored.
fn inputOf(m: u32, k: u32) -> f32 {
  return input[min(m, shape.rows - 1u) * shape.inputStride + shape.firstInput + k];
}

fn weightOf(k: u32, column: u32) -> f32 {
  let n = min(column, shape.columns - 1u);
  return weightAt(shape.firstWeight + k * shape.innerStep + n * shape.columnStep);
}

// Neighbouring threads read neighbouring elements in either layout.
fn stageTiles(tileRow: u32, tileColumn: u32, start: u32, thread: u32) {
  let last = shape.inner - 1u;
  for (var at = thread; at < DEPTH * tileRows; at += threads) {
    let depth = at % DEPTH;
    let row = at / DEPTH;
    inputTile[depth * tileRows + row] = inputOf(tileRow + row, min(start + depth, last));
  }
  for (var at = thread; at < DEPTH * tileColumns; at += threads) {
    let depth = select(at / tileColumns, at % DEPTH, transposed);
    let column = select(at % tileColumns, at / DEPTH, transposed);
    weightTile[depth * tileColumns + column] = weightOf(min(start + depth, last), tileColumn + column);
  }
}

// One thread's four columns of one row.
fn store(m: u32, firstColumn: u32, total: vec4<f32>) {
  for (var j = 0u; j < COLUMNS; j++) {
    let n = firstColumn + j;
    if (m < shape.rows && n < shape.columns) {
      let at = shape.firstOutput + m * shape.outputStride + shape.firstColumn + n;
      var sum = total[j];
      if (shape.hasBias != 0u) {
        sum += bias[shape.firstColumn + n];
      }
      if (shape.accumulate != 0u) {
        sum += output[at];
      }
      if (activates) {
        sum = activate(sum, shape.activation);
      }
      output[at] = sum;
    }
  }
}

// Accumulators have names of their own: an array of them would not stay in registers everywhere.
@compute @workgroup_size(threadsX, threadsY)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(local_invocation_id) local: vec3<u32>,
) {
  let tileRow = workgroup.y * tileRows;
  let tileColumn = workgroup.x * tileColumns;
  let row = ROWS * local.y;
  let m = tileRow + row;
  let n = tileColumn + COLUMNS * local.x;
  var total0 = vec4<f32>();
  var total1 = vec4<f32>();
  var total2 = vec4<f32>();
  var total3 = vec4<f32>();
  var total4 = vec4<f32>();
  var total5 = vec4<f32>();
  var total6 = vec4<f32>();
  var total7 = vec4<f32>();

  for (var start = 0u; start < shape.inner; start += DEPTH) {
    let depths = min(DEPTH, shape.inner - start);
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    if (staged) {
      stageTiles(tileRow, tileColumn, start, thread);
      workgroupBarrier();
      for (var depth = 0u; depth < depths; depth++) {
        let a = depth * tileRows + row;
        let b = depth * tileColumns + COLUMNS * local.x;
        let weights = vec4(weightTile[b], weightTile[b + 1u], weightTile[b + 2u], weightTile[b + 3u]);
        sum0 = fma(vec4(inputTile[a]), weights, sum0);
        sum1 = fma(vec4(inputTile[a + 1u]), weights, sum1);
        sum2 = fma(vec4(inputTile[a + 2u]), weights, sum2);
        sum3 = fma(vec4(inputTile[a + 3u]), weights, sum3);
        sum4 = fma(vec4(inputTile[a + 4u]), weights, sum4);
        sum5 = fma(vec4(inputTile[a + 5u]), weights, sum5);
        sum6 = fma(vec4(inputTile[a + 6u]), weights, sum6);
        sum7 = fma(vec4(inputTile[a + 7u]), weights, sum7);
      }
      workgroupBarrier();
    } else {
      for (var k = start; k < start + depths; k++) {
        let weights = vec4(weightOf(k, n), weightOf(k, n + 1u), weightOf(k, n + 2u), weightOf(k, n + 3u));
        sum0 = fma(vec4(inputOf(m, k)), weights, sum0);
        sum1 = fma(vec4(inputOf(m + 1u, k)), weights, sum1);
        sum2 = fma(vec4(inputOf(m + 2u, k)), weights, sum2);
        sum3 = fma(vec4(inputOf(m + 3u, k)), weights, sum3);
        sum4 = fma(vec4(inputOf(m + 4u, k)), weights, sum4);
        sum5 = fma(vec4(inputOf(m + 5u, k)), weights, sum5);
        sum6 = fma(vec4(inputOf(m + 6u, k)), weights, sum6);
        sum7 = fma(vec4(inputOf(m + 7u, k)), weights, sum7);
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
  }

  // In a loop: written out, the activation would stand there eight times and compile longer than all the rest.
  var totals = array<vec4<f32>, ROWS>(total0, total1, total2, total3, total4, total5, total6, total7);
  for (var i = 0u; i < ROWS; i++) {
    store(m + i, n, totals[i]);
  }
}
