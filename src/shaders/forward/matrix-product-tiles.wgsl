// Matrix product for hardware GPUs, in large tiles. It computes what matrix-product.wgsl does, with the same operands:
//
//   output[m, firstOutput + firstColumn + n] = activation(previous[m, n] + Σ_k input[m, firstInput + k] · weight[k, n] + bias[n])
//
// or, where `folded`, of each row and tile of columns three numbers of the products themselves (no bias, no activation),
// which fold-log-softmax-tiles.wgsl joins: output[m, 3·tile …] = maximum, Σ exp(product − maximum), the maximum's first column.
//
// A workgroup of threadsX × threadsY (8 or 16 each) makes a tile of 8·threadsY rows × 8·threadsX columns, each thread 8×8
// of it in registers. Tiles are 16 terms deep: 128 × 128 takes exactly the portable 16 KiB. What is next is read into
// registers while the tile is multiplied. Beyond the last term both tiles hold zeros, so that the loop is constant.
//
// Both tiles keep four terms of a row (or column) as a vec4, a unit. Unit q of row r stands in lane (r mod 8) xor 2q of
// the run of eight rows that holds r: eight neighbouring threads then store to, and load from, different banks, without
// padding. The arrays are nested so that only the outermost index and the lane need a bounds check, not each load.
//
// Sums run within the 16 terms of a tile first, four of a thread's columns at a time to spare registers, and then over
// tiles, as in matrix-product.wgsl (blocked summation). Storage in units needs bindings of whole vec4s.
//
// Includes snippets/packed-weights.wgsl and snippets/activation.wgsl.

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
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

override threadsX: u32 = 16u;
override threadsY: u32 = 16u;
override transposed: bool = false;
// Whether every row of the input, and of a transposed weight, is made of whole units.
override aligned: bool = true;
override folded: bool = false;

const LOWEST = -3.4028234663852886e38;
const DEPTH = 16u;
const UNITS = 4u;
override threads: u32 = threadsX * threadsY;
// 64 rows or columns each.
override groupsX: u32 = threadsX / 8u;
override groupsY: u32 = threadsY / 8u;

// Group: [run of eight rows][lane].
var<workgroup> inputTile: array<array<array<vec4<f32>, 8>, 8>, UNITS * groupsY>;
var<workgroup> weightTile: array<array<array<vec4<f32>, 8>, 8>, UNITS * groupsX>;

fn inputAt(element: u32) -> f32 {
  return input[element / 4u][element % 4u];
}

fn weightAt(element: u32) -> f32 {
  let word = wordOf(element);
  return widen(weight[word / 4u][word % 4u], element);
}

// Four neighbouring weights; the first is at a multiple of four.
fn fourWeights(element: u32) -> vec4<f32> {
  if (weightFormat == 0u) {
    return bitcast<vec4<f32>>(weight[element / 4u]);
  }
  let words = weight[element / 8u];
  let pair = select(words.xy, words.zw, (element & 4u) != 0u);
  return vec4(widen(pair.x, 0u), widen(pair.x, 1u), widen(pair.y, 0u), widen(pair.y, 1u));
}

// Terms k … k + 3 of a row of the input. Neighbouring threads read neighbouring units.
fn inputUnit(m: u32, k: u32) -> vec4<f32> {
  var four = vec4<f32>();
  if (m < shape.rows && k < shape.inner) {
    let element = m * shape.inputStride + shape.firstInput + k;
    if (aligned) {
      four = input[element / 4u];
    } else {
      let terms = min(4u, shape.inner - k);
      for (var i = 0u; i < terms; i++) {
        four[i] = inputAt(element + i);
      }
    }
  }
  return four;
}

// Terms k … k + 3 of a column of the weight. Neighbouring threads read neighbouring units of [columns, inner], and
// neighbouring columns of [inner, columns], term after term.
fn weightUnit(n: u32, k: u32) -> vec4<f32> {
  var four = vec4<f32>();
  if (n < shape.columns && k < shape.inner) {
    let element = shape.firstWeight + k * shape.innerStep + n * shape.columnStep;
    if (transposed && aligned) {
      four = fourWeights(element);
    } else {
      let terms = min(4u, shape.inner - k);
      for (var i = 0u; i < terms; i++) {
        four[i] = weightAt(element + i * shape.innerStep);
      }
    }
  }
  return four;
}

fn inputPlace(at: u32) -> vec2<u32> {
  return vec2(at / UNITS, at % UNITS);
}

fn weightPlace(at: u32) -> vec2<u32> {
  return select(vec2(at % (8u * threadsX), at / (8u * threadsX)), vec2(at / UNITS, at % UNITS), transposed);
}

fn readInput(at: u32, firstRow: u32, start: u32) -> vec4<f32> {
  let place = inputPlace(at);
  return inputUnit(firstRow + place.x, start + 4u * place.y);
}

fn readWeight(at: u32, firstColumn: u32, start: u32) -> vec4<f32> {
  let place = weightPlace(at);
  return weightUnit(firstColumn + place.x, start + 4u * place.y);
}

fn keepInput(at: u32, four: vec4<f32>) {
  let place = inputPlace(at);
  inputTile[place.y * groupsY + place.x / 64u][(place.x / 8u) % 8u][(place.x % 8u) ^ (2u * place.y)] = four;
}

fn keepWeight(at: u32, four: vec4<f32>) {
  let place = weightPlace(at);
  weightTile[place.y * groupsX + place.x / 64u][(place.x / 8u) % 8u][(place.x % 8u) ^ (2u * place.y)] = four;
}

fn addProducts(row: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>, sum: vec4<f32>) -> vec4<f32> {
  let two = fma(vec4(row.y), vec4(a.y, b.y, c.y, d.y), fma(vec4(row.x), vec4(a.x, b.x, c.x, d.x), sum));
  return fma(vec4(row.w), vec4(a.w, b.w, c.w, d.w), fma(vec4(row.z), vec4(a.z, b.z, c.z, d.z), two));
}

struct Sums {
  row0: vec4<f32>,
  row1: vec4<f32>,
  row2: vec4<f32>,
  row3: vec4<f32>,
  row4: vec4<f32>,
  row5: vec4<f32>,
  row6: vec4<f32>,
  row7: vec4<f32>,
}

// The tile's 16 products of a thread's eight rows and four of its columns, from column `first` on.
fn tileSums(first: u32, x: u32, y: u32) -> Sums {
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var sum4 = vec4<f32>();
  var sum5 = vec4<f32>();
  var sum6 = vec4<f32>();
  var sum7 = vec4<f32>();
  for (var q = 0u; q < UNITS; q++) {
    let ofRows = q * groupsY + y / 8u;
    let ofColumns = q * groupsX + x / 8u;
    let row = (y % 8u) ^ (2u * q);
    let column = (x % 8u) ^ (2u * q);
    let a = weightTile[ofColumns][first][column];
    let b = weightTile[ofColumns][first + 1u][column];
    let c = weightTile[ofColumns][first + 2u][column];
    let d = weightTile[ofColumns][first + 3u][column];
    sum0 = addProducts(inputTile[ofRows][0][row], a, b, c, d, sum0);
    sum1 = addProducts(inputTile[ofRows][1][row], a, b, c, d, sum1);
    sum2 = addProducts(inputTile[ofRows][2][row], a, b, c, d, sum2);
    sum3 = addProducts(inputTile[ofRows][3][row], a, b, c, d, sum3);
    sum4 = addProducts(inputTile[ofRows][4][row], a, b, c, d, sum4);
    sum5 = addProducts(inputTile[ofRows][5][row], a, b, c, d, sum5);
    sum6 = addProducts(inputTile[ofRows][6][row], a, b, c, d, sum6);
    sum7 = addProducts(inputTile[ofRows][7][row], a, b, c, d, sum7);
  }
  return Sums(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
}

// Four columns of a row, eight columns from one to the next.
fn store(m: u32, firstColumn: u32, total: vec4<f32>) {
  for (var j = 0u; j < 4u; j++) {
    let n = firstColumn + 8u * j;
    if (m < shape.rows && n < shape.columns) {
      let at = shape.firstOutput + m * shape.outputStride + shape.firstColumn + n;
      var sum = total[j];
      if (shape.hasBias != 0u) {
        sum += bias[shape.firstColumn + n];
      }
      if (shape.accumulate != 0u) {
        sum += output[at];
      }
      output[at] = activate(sum, shape.activation);
    }
  }
}

// A thread's eight columns of a row: maximum, sum of exponentials under it, the first column that reaches it.
fn foldColumns(firstColumn: u32, low: vec4<f32>, high: vec4<f32>) -> vec4<f32> {
  var best = LOWEST;
  var at = firstColumn;
  for (var j = 0u; j < 8u; j++) {
    let n = firstColumn + 8u * j;
    let value = select(high[j % 4u], low[j % 4u], j < 4u);
    if (n < shape.columns && value > best) {
      best = value;
      at = n;
    }
  }
  var sum = 0.0;
  for (var j = 0u; j < 8u; j++) {
    if (firstColumn + 8u * j < shape.columns) {
      sum += exp(select(high[j % 4u], low[j % 4u], j < 4u) - best);
    }
  }
  // Columns below 2²⁴ are exact as floats; their bits would be subnormal numbers.
  return vec4(best, sum, f32(at), 0.0);
}

// Joins two of each thread's rows with those of the other threads that share the row. All threads come here.
fn foldRows(
  tile: vec3<u32>, firstRow: u32, x: u32, y: u32, thread: u32, run: u32, one: vec4<f32>, other: vec4<f32>,
) {
  workgroupBarrier();
  for (var half = 0u; half < 2u; half++) {
    let at = (half * threadsY + y) * threadsX + x;
    inputTile[at / 64u][(at / 8u) % 8u][at % 8u] = select(other, one, half == 0u);
  }
  workgroupBarrier();
  if (thread < 2u * threadsY) {
    let owner = thread % threadsY;
    let m = firstRow + 64u * (owner / 8u) + 8u * (run + thread / threadsY) + owner % 8u;
    var joined = vec4(LOWEST, 0.0, 0.0, 0.0);
    for (var i = 0u; i < threadsX; i++) {
      let at = thread * threadsX + i;
      let part = inputTile[at / 64u][(at / 8u) % 8u][at % 8u];
      let isTie = part.x == joined.x && part.z < joined.z;
      if (part.x > joined.x || isTie) {
        joined.x = part.x;
        joined.z = part.z;
      }
    }
    for (var i = 0u; i < threadsX; i++) {
      let at = thread * threadsX + i;
      let part = inputTile[at / 64u][(at / 8u) % 8u][at % 8u];
      joined.y += part.y * exp(part.x - joined.x);
    }
    if (m < shape.rows) {
      let at = m * shape.outputStride + 3u * tile.x;
      output[at] = joined.x;
      output[at + 1u] = joined.y;
      output[at + 2u] = joined.z;
    }
  }
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let firstRow = tile.y * 8u * threadsY;
  let firstColumn = tile.x * 8u * threadsX;
  // 32 neighbours take 8 columns × 4 rows: their loads meet in few units.
  let x = thread % 8u + 8u * ((thread / 32u) % groupsX);
  let y = (thread / 8u) % 4u + 4u * (thread / (32u * groupsX));
  // The thread's row i is m + 8i, and its column j is n + 8j.
  let m = firstRow + 64u * (y / 8u) + y % 8u;
  let n = firstColumn + 64u * (x / 8u) + x % 8u;

  var low0 = vec4<f32>();
  var low1 = vec4<f32>();
  var low2 = vec4<f32>();
  var low3 = vec4<f32>();
  var low4 = vec4<f32>();
  var low5 = vec4<f32>();
  var low6 = vec4<f32>();
  var low7 = vec4<f32>();
  var high0 = vec4<f32>();
  var high1 = vec4<f32>();
  var high2 = vec4<f32>();
  var high3 = vec4<f32>();
  var high4 = vec4<f32>();
  var high5 = vec4<f32>();
  var high6 = vec4<f32>();
  var high7 = vec4<f32>();

  // The next tile: 32/threadsX units of the input, 32/threadsY of the weight.
  var input0 = readInput(thread, firstRow, 0u);
  var input1 = readInput(thread + threads, firstRow, 0u);
  var input2 = vec4<f32>();
  var input3 = vec4<f32>();
  if (threadsX == 8u) {
    input2 = readInput(thread + 2u * threads, firstRow, 0u);
    input3 = readInput(thread + 3u * threads, firstRow, 0u);
  }
  var weight0 = readWeight(thread, firstColumn, 0u);
  var weight1 = readWeight(thread + threads, firstColumn, 0u);
  var weight2 = vec4<f32>();
  var weight3 = vec4<f32>();
  if (threadsY == 8u) {
    weight2 = readWeight(thread + 2u * threads, firstColumn, 0u);
    weight3 = readWeight(thread + 3u * threads, firstColumn, 0u);
  }

  for (var start = 0u; start < shape.inner; start += DEPTH) {
    workgroupBarrier();
    keepInput(thread, input0);
    keepInput(thread + threads, input1);
    if (threadsX == 8u) {
      keepInput(thread + 2u * threads, input2);
      keepInput(thread + 3u * threads, input3);
    }
    keepWeight(thread, weight0);
    keepWeight(thread + threads, weight1);
    if (threadsY == 8u) {
      keepWeight(thread + 2u * threads, weight2);
      keepWeight(thread + 3u * threads, weight3);
    }
    workgroupBarrier();

    let next = start + DEPTH;
    input0 = readInput(thread, firstRow, next);
    input1 = readInput(thread + threads, firstRow, next);
    if (threadsX == 8u) {
      input2 = readInput(thread + 2u * threads, firstRow, next);
      input3 = readInput(thread + 3u * threads, firstRow, next);
    }
    weight0 = readWeight(thread, firstColumn, next);
    weight1 = readWeight(thread + threads, firstColumn, next);
    if (threadsY == 8u) {
      weight2 = readWeight(thread + 2u * threads, firstColumn, next);
      weight3 = readWeight(thread + 3u * threads, firstColumn, next);
    }

    let low = tileSums(0u, x, y);
    low0 += low.row0;
    low1 += low.row1;
    low2 += low.row2;
    low3 += low.row3;
    low4 += low.row4;
    low5 += low.row5;
    low6 += low.row6;
    low7 += low.row7;
    let high = tileSums(4u, x, y);
    high0 += high.row0;
    high1 += high.row1;
    high2 += high.row2;
    high3 += high.row3;
    high4 += high.row4;
    high5 += high.row5;
    high6 += high.row6;
    high7 += high.row7;
  }

  if (folded) {
    var lows = array<vec4<f32>, 8>(low0, low1, low2, low3, low4, low5, low6, low7);
    var highs = array<vec4<f32>, 8>(high0, high1, high2, high3, high4, high5, high6, high7);
    for (var run = 0u; run < 8u; run += 2u) {
      let one = foldColumns(n, lows[run], highs[run]);
      foldRows(tile, firstRow, x, y, thread, run, one, foldColumns(n, lows[run + 1u], highs[run + 1u]));
    }
    return;
  }
  // A loop, because 64 copies of the activation would take longer to compile than everything else.
  var totals = array<vec4<f32>, 16>(
    low0, high0, low1, high1, low2, high2, low3, high3, low4, high4, low5, high5, low6, high6, low7, high7,
  );
  for (var half = 0u; half < 16u; half++) {
    store(m + 8u * (half / 2u), n + 32u * (half % 2u), totals[half]);
  }
}
