// One panel of a Householder QR factorisation, in place, as qr-panel, where four lanes make a subgroup: 16 columns of
// each matrix from column `first` on. Golub and Van Loan, Matrix Computations, 5.1 and 5.2 (compact WY form).
//
// Columns lie contiguous: columns[matrix, column, row]. One workgroup of four threads, a subgroup, a matrix; a lane has
// every fourth group of four rows. A step passes over the columns once: it applies the newest reflector to those after
// it, and sums the next pivot column's products with them. Writes R on and above the diagonal, reflectors[matrix, 16,
// row] (one on the diagonal, zero above; from row `first` on) and triangle[matrix, 16, 16], T with
// H1 H2 .. H16 = I - V T V'.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Uniforms {
  columns: u32,
  padded: u32, // columns held a matrix
  length4: u32, // groups of four rows
  first: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> reflectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> triangle: array<f32>;

var<workgroup> partials: array<f32, 64>; // [column, lane]
var<workgroup> weights: array<f32, 16>; // what is taken of the newest reflector, unscaled
var<workgroup> scales: array<f32, 16>; // reflector = scale * what the column holds below its diagonal
var<workgroup> diagonal: array<f32, 16>;
var<workgroup> factors: array<f32, 16>; // tau of each reflector
var<workgroup> upper: array<f32, 256>; // T
var<workgroup> products: array<vec4<f32>, 64>; // [reflector, lane]: V'V

fn total(column: u32) -> f32 {
  let at = 4u * column;
  return (partials[at] + partials[at + 1u]) + (partials[at + 2u] + partials[at + 3u]);
}

/// Keeps the components of group k whose row is `row` or later.
fn keepFrom(four: vec4<f32>, k: u32, row: u32) -> vec4<f32> {
  return select(vec4<f32>(), four, vec4<u32>(0u, 1u, 2u, 3u) + 4u * k >= vec4<u32>(row));
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.x;
  let length = uniforms.length4;
  let width = min(16u, uniforms.columns - uniforms.first);
  let panel = (matrix * uniforms.padded + uniforms.first) * length;
  for (var c = lane; c < 16u; c += 4u) {
    weights[c] = 0.0;
    scales[c] = 0.0;
    factors[c] = 0.0;
  }
  workgroupBarrier();

  var newHead = 0.0; // the newest reflector's first element before scaling
  // Pass number `next` applies reflector next - 1 (none at first) and prepares column `next`.
  for (var next = 0u; next < width; next++) {
    let nextRow = uniforms.first + next;
    let pivot = panel + next * length;
    let before = panel + max(next, 1u) * length - length;
    let nextWeight = weights[next];
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
    // The reflector's first row may be in the group before the next one's.
    for (var k = (max(nextRow, uniforms.first + 1u) - 1u) / 4u + lane; k < length; k += 4u) {
      var v = keepFrom(columns[before + k], k, nextRow);
      if (next > 0u) {
        v = select(v, vec4<f32>(newHead), vec4<u32>(0u, 1u, 2u, 3u) + 4u * k + 1u == vec4<u32>(nextRow));
      }
      let p = keepFrom(columns[pivot + k] - nextWeight * v, k, nextRow);
      if (next <= 0u) {
        let four = columns[panel + 0u * length + k] - weights[0u] * v;
        columns[panel + 0u * length + k] = four;
        sum0 += p * four;
      }
      if (next <= 1u) {
        let four = columns[panel + 1u * length + k] - weights[1u] * v;
        columns[panel + 1u * length + k] = four;
        sum1 += p * four;
      }
      if (next <= 2u) {
        let four = columns[panel + 2u * length + k] - weights[2u] * v;
        columns[panel + 2u * length + k] = four;
        sum2 += p * four;
      }
      if (next <= 3u) {
        let four = columns[panel + 3u * length + k] - weights[3u] * v;
        columns[panel + 3u * length + k] = four;
        sum3 += p * four;
      }
      if (next <= 4u) {
        let four = columns[panel + 4u * length + k] - weights[4u] * v;
        columns[panel + 4u * length + k] = four;
        sum4 += p * four;
      }
      if (next <= 5u) {
        let four = columns[panel + 5u * length + k] - weights[5u] * v;
        columns[panel + 5u * length + k] = four;
        sum5 += p * four;
      }
      if (next <= 6u) {
        let four = columns[panel + 6u * length + k] - weights[6u] * v;
        columns[panel + 6u * length + k] = four;
        sum6 += p * four;
      }
      if (next <= 7u) {
        let four = columns[panel + 7u * length + k] - weights[7u] * v;
        columns[panel + 7u * length + k] = four;
        sum7 += p * four;
      }
      if (next <= 8u) {
        let four = columns[panel + 8u * length + k] - weights[8u] * v;
        columns[panel + 8u * length + k] = four;
        sum8 += p * four;
      }
      if (next <= 9u) {
        let four = columns[panel + 9u * length + k] - weights[9u] * v;
        columns[panel + 9u * length + k] = four;
        sum9 += p * four;
      }
      if (next <= 10u) {
        let four = columns[panel + 10u * length + k] - weights[10u] * v;
        columns[panel + 10u * length + k] = four;
        sum10 += p * four;
      }
      if (next <= 11u) {
        let four = columns[panel + 11u * length + k] - weights[11u] * v;
        columns[panel + 11u * length + k] = four;
        sum11 += p * four;
      }
      if (next <= 12u) {
        let four = columns[panel + 12u * length + k] - weights[12u] * v;
        columns[panel + 12u * length + k] = four;
        sum12 += p * four;
      }
      if (next <= 13u) {
        let four = columns[panel + 13u * length + k] - weights[13u] * v;
        columns[panel + 13u * length + k] = four;
        sum13 += p * four;
      }
      if (next <= 14u) {
        let four = columns[panel + 14u * length + k] - weights[14u] * v;
        columns[panel + 14u * length + k] = four;
        sum14 += p * four;
      }
      if (next <= 15u) {
        let four = columns[panel + 15u * length + k] - weights[15u] * v;
        columns[panel + 15u * length + k] = four;
        sum15 += p * four;
      }
    }
    partials[0u + lane] = (sum0.x + sum0.y) + (sum0.z + sum0.w);
    partials[4u + lane] = (sum1.x + sum1.y) + (sum1.z + sum1.w);
    partials[8u + lane] = (sum2.x + sum2.y) + (sum2.z + sum2.w);
    partials[12u + lane] = (sum3.x + sum3.y) + (sum3.z + sum3.w);
    partials[16u + lane] = (sum4.x + sum4.y) + (sum4.z + sum4.w);
    partials[20u + lane] = (sum5.x + sum5.y) + (sum5.z + sum5.w);
    partials[24u + lane] = (sum6.x + sum6.y) + (sum6.z + sum6.w);
    partials[28u + lane] = (sum7.x + sum7.y) + (sum7.z + sum7.w);
    partials[32u + lane] = (sum8.x + sum8.y) + (sum8.z + sum8.w);
    partials[36u + lane] = (sum9.x + sum9.y) + (sum9.z + sum9.w);
    partials[40u + lane] = (sum10.x + sum10.y) + (sum10.z + sum10.w);
    partials[44u + lane] = (sum11.x + sum11.y) + (sum11.z + sum11.w);
    partials[48u + lane] = (sum12.x + sum12.y) + (sum12.z + sum12.w);
    partials[52u + lane] = (sum13.x + sum13.y) + (sum13.z + sum13.w);
    partials[56u + lane] = (sum14.x + sum14.y) + (sum14.z + sum14.w);
    partials[60u + lane] = (sum15.x + sum15.y) + (sum15.z + sum15.w);
    storageBarrier();
    workgroupBarrier();

    let square = total(next);
    let pivotHead = columns[pivot + nextRow / 4u][nextRow % 4u];
    var reflected = 0.0; // R's diagonal element
    var inverse = 0.0;
    var tau = 0.0;
    newHead = 0.0;
    if (square > 1e-36) {
      reflected = select(-sqrt(square), sqrt(square), pivotHead < 0.0);
      newHead = pivotHead - reflected;
      inverse = 1.0 / newHead;
      tau = -newHead / reflected;
    }
    for (var c = lane; c < 16u; c += 4u) {
      var weight = 0.0;
      if (c > next) {
        let head = columns[panel + c * length + nextRow / 4u][nextRow % 4u];
        weight = tau * inverse * ((total(c) - reflected * head) * inverse);
      } else if (c == next) {
        scales[c] = inverse;
        diagonal[c] = reflected;
        factors[c] = tau;
      }
      weights[c] = weight;
    }
    workgroupBarrier();
  }

  // What the last reflector leaves to do is the padding's, which is zero. Now the reflectors, and R's diagonal.
  for (var c = 0u; c < 16u; c++) {
    let row = uniforms.first + c;
    let scale = scales[c];
    for (var k = uniforms.first / 4u + lane; k < length; k += 4u) {
      let place = panel + c * length + k;
      var four = columns[place];
      let isDiagonal = vec4<u32>(0u, 1u, 2u, 3u) + 4u * k == vec4<u32>(row);
      if (k == row / 4u && c < width) {
        columns[place] = select(four, vec4<f32>(diagonal[c]), isDiagonal);
      }
      four = keepFrom(four, k, row) * scale;
      reflectors[(matrix * 16u + c) * length + k] = select(four, vec4<f32>(select(0.0, 1.0, scale != 0.0)), isDiagonal);
    }
  }
  storageBarrier();

  // T from V'V: a lane makes every fourth of its rows, and needs no other.
  for (var index = lane; index < 256u; index += 4u) {
    upper[index] = 0.0;
  }
  let reflector0 = matrix * 16u * length;
  let own = reflector0 + 4u * lane * length;
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
  for (var k = uniforms.first / 4u; k < length; k++) {
    let own0 = reflectors[own + k];
    let own1 = reflectors[own + length + k];
    let own2 = reflectors[own + 2u * length + k];
    let own3 = reflectors[own + 3u * length + k];
    let x0 = reflectors[reflector0 + 0u * length + k][lane];
    let x1 = reflectors[reflector0 + 1u * length + k][lane];
    let x2 = reflectors[reflector0 + 2u * length + k][lane];
    let x3 = reflectors[reflector0 + 3u * length + k][lane];
    let x4 = reflectors[reflector0 + 4u * length + k][lane];
    let x5 = reflectors[reflector0 + 5u * length + k][lane];
    let x6 = reflectors[reflector0 + 6u * length + k][lane];
    let x7 = reflectors[reflector0 + 7u * length + k][lane];
    let x8 = reflectors[reflector0 + 8u * length + k][lane];
    let x9 = reflectors[reflector0 + 9u * length + k][lane];
    let x10 = reflectors[reflector0 + 10u * length + k][lane];
    let x11 = reflectors[reflector0 + 11u * length + k][lane];
    let x12 = reflectors[reflector0 + 12u * length + k][lane];
    let x13 = reflectors[reflector0 + 13u * length + k][lane];
    let x14 = reflectors[reflector0 + 14u * length + k][lane];
    let x15 = reflectors[reflector0 + 15u * length + k][lane];
    let bx = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
    sum0 += quadBroadcast(x0, 0u) * bx;
    sum1 += quadBroadcast(x1, 0u) * bx;
    sum2 += quadBroadcast(x2, 0u) * bx;
    sum3 += quadBroadcast(x3, 0u) * bx;
    sum4 += quadBroadcast(x4, 0u) * bx;
    sum5 += quadBroadcast(x5, 0u) * bx;
    sum6 += quadBroadcast(x6, 0u) * bx;
    sum7 += quadBroadcast(x7, 0u) * bx;
    sum8 += quadBroadcast(x8, 0u) * bx;
    sum9 += quadBroadcast(x9, 0u) * bx;
    sum10 += quadBroadcast(x10, 0u) * bx;
    sum11 += quadBroadcast(x11, 0u) * bx;
    sum12 += quadBroadcast(x12, 0u) * bx;
    sum13 += quadBroadcast(x13, 0u) * bx;
    sum14 += quadBroadcast(x14, 0u) * bx;
    sum15 += quadBroadcast(x15, 0u) * bx;
    let by = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
    sum0 += quadBroadcast(x0, 1u) * by;
    sum1 += quadBroadcast(x1, 1u) * by;
    sum2 += quadBroadcast(x2, 1u) * by;
    sum3 += quadBroadcast(x3, 1u) * by;
    sum4 += quadBroadcast(x4, 1u) * by;
    sum5 += quadBroadcast(x5, 1u) * by;
    sum6 += quadBroadcast(x6, 1u) * by;
    sum7 += quadBroadcast(x7, 1u) * by;
    sum8 += quadBroadcast(x8, 1u) * by;
    sum9 += quadBroadcast(x9, 1u) * by;
    sum10 += quadBroadcast(x10, 1u) * by;
    sum11 += quadBroadcast(x11, 1u) * by;
    sum12 += quadBroadcast(x12, 1u) * by;
    sum13 += quadBroadcast(x13, 1u) * by;
    sum14 += quadBroadcast(x14, 1u) * by;
    sum15 += quadBroadcast(x15, 1u) * by;
    let bz = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
    sum0 += quadBroadcast(x0, 2u) * bz;
    sum1 += quadBroadcast(x1, 2u) * bz;
    sum2 += quadBroadcast(x2, 2u) * bz;
    sum3 += quadBroadcast(x3, 2u) * bz;
    sum4 += quadBroadcast(x4, 2u) * bz;
    sum5 += quadBroadcast(x5, 2u) * bz;
    sum6 += quadBroadcast(x6, 2u) * bz;
    sum7 += quadBroadcast(x7, 2u) * bz;
    sum8 += quadBroadcast(x8, 2u) * bz;
    sum9 += quadBroadcast(x9, 2u) * bz;
    sum10 += quadBroadcast(x10, 2u) * bz;
    sum11 += quadBroadcast(x11, 2u) * bz;
    sum12 += quadBroadcast(x12, 2u) * bz;
    sum13 += quadBroadcast(x13, 2u) * bz;
    sum14 += quadBroadcast(x14, 2u) * bz;
    sum15 += quadBroadcast(x15, 2u) * bz;
    let bw = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
    sum0 += quadBroadcast(x0, 3u) * bw;
    sum1 += quadBroadcast(x1, 3u) * bw;
    sum2 += quadBroadcast(x2, 3u) * bw;
    sum3 += quadBroadcast(x3, 3u) * bw;
    sum4 += quadBroadcast(x4, 3u) * bw;
    sum5 += quadBroadcast(x5, 3u) * bw;
    sum6 += quadBroadcast(x6, 3u) * bw;
    sum7 += quadBroadcast(x7, 3u) * bw;
    sum8 += quadBroadcast(x8, 3u) * bw;
    sum9 += quadBroadcast(x9, 3u) * bw;
    sum10 += quadBroadcast(x10, 3u) * bw;
    sum11 += quadBroadcast(x11, 3u) * bw;
    sum12 += quadBroadcast(x12, 3u) * bw;
    sum13 += quadBroadcast(x13, 3u) * bw;
    sum14 += quadBroadcast(x14, 3u) * bw;
    sum15 += quadBroadcast(x15, 3u) * bw;
  }
  products[0u + lane] = sum0;
  products[4u + lane] = sum1;
  products[8u + lane] = sum2;
  products[12u + lane] = sum3;
  products[16u + lane] = sum4;
  products[20u + lane] = sum5;
  products[24u + lane] = sum6;
  products[28u + lane] = sum7;
  products[32u + lane] = sum8;
  products[36u + lane] = sum9;
  products[40u + lane] = sum10;
  products[44u + lane] = sum11;
  products[48u + lane] = sum12;
  products[52u + lane] = sum13;
  products[56u + lane] = sum14;
  products[60u + lane] = sum15;
  workgroupBarrier();
  for (var step = 0u; step < width; step++) {
    for (var row = lane; row < step; row += 4u) {
      var sum = 0.0;
      for (var i = row; i < step; i++) {
        sum += upper[16u * row + i] * products[4u * i + step / 4u][step % 4u];
      }
      upper[16u * row + step] = -factors[step] * sum;
    }
    if (lane == step % 4u) {
      upper[17u * step] = factors[step];
    }
  }
  workgroupBarrier();
  for (var index = lane; index < 256u; index += 4u) {
    triangle[256u * matrix + index] = upper[index];
  }
}
