// One panel of a Householder QR factorisation, in place, as qr-panel.wgsl, with the same operands, where a CPU plays the GPU
// with subgroups of four lanes.
//
// One workgroup per matrix, of four threads, a subgroup; a lane has every fourth group of four rows. A step passes over the
// columns once: it applies the newest reflector to those after it, and sums the next pivot column's products with them.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  columns: u32,
  padded: u32, // columns held a matrix
  length4: u32, // groups of four rows
  first: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> shape: Shape;
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

// Keeps the components of group k whose row is `row` or later.
fn keepFrom(four: vec4<f32>, k: u32, row: u32) -> vec4<f32> {
  return select(vec4<f32>(), four, vec4<u32>(0u, 1u, 2u, 3u) + 4u * k >= vec4<u32>(row));
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.x;
  let length = shape.length4;
  let width = min(16u, shape.columns - shape.first);
  let panel = (matrix * shape.padded + shape.first) * length;
  for (var c = lane; c < 16u; c += 4u) {
    weights[c] = 0.0;
    scales[c] = 0.0;
    factors[c] = 0.0;
  }
  workgroupBarrier();

  var newHead = 0.0; // the newest reflector's first element before scaling
  // Pass number `next` applies reflector next - 1 (none at first) and prepares column `next`.
  for (var next = 0u; next < width; next++) {
    let nextRow = shape.first + next;
    let pivot = panel + next * length;
    let before = panel + max(next, 1u) * length - length;
    let nextWeight = weights[next];
    // Four columns at a time; those before `next` have no weight and stay as they are.
    for (var c = next & 12u; c < 16u; c += 4u) {
      let own = panel + c * length;
      let four = vec4<f32>(weights[c], weights[c + 1u], weights[c + 2u], weights[c + 3u]);
      var sum0 = vec4<f32>();
      var sum1 = vec4<f32>();
      var sum2 = vec4<f32>();
      var sum3 = vec4<f32>();
      // The reflector's first row may be in the group before the next one's.
      for (var k = (max(nextRow, shape.first + 1u) - 1u) / 4u + lane; k < length; k += 4u) {
        var v = keepFrom(columns[before + k], k, nextRow);
        if (next > 0u) {
          v = select(v, vec4<f32>(newHead), vec4<u32>(0u, 1u, 2u, 3u) + 4u * k + 1u == vec4<u32>(nextRow));
        }
        // The pivot column is as it was until the first four are done, and then as it is to be.
        let pivotWeight = select(0.0, nextWeight, c <= next);
        let p = keepFrom(columns[pivot + k] - pivotWeight * v, k, nextRow);
        let c0 = columns[own + k] - four.x * v;
        let c1 = columns[own + length + k] - four.y * v;
        let c2 = columns[own + 2u * length + k] - four.z * v;
        let c3 = columns[own + 3u * length + k] - four.w * v;
        columns[own + k] = c0;
        columns[own + length + k] = c1;
        columns[own + 2u * length + k] = c2;
        columns[own + 3u * length + k] = c3;
        sum0 += p * c0;
        sum1 += p * c1;
        sum2 += p * c2;
        sum3 += p * c3;
      }
      partials[4u * c + lane] = (sum0.x + sum0.y) + (sum0.z + sum0.w);
      partials[4u * c + 4u + lane] = (sum1.x + sum1.y) + (sum1.z + sum1.w);
      partials[4u * c + 8u + lane] = (sum2.x + sum2.y) + (sum2.z + sum2.w);
      partials[4u * c + 12u + lane] = (sum3.x + sum3.y) + (sum3.z + sum3.w);
    }
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
    let row = shape.first + c;
    let scale = scales[c];
    for (var k = shape.first / 4u + lane; k < length; k += 4u) {
      let place = panel + c * length + k;
      var four = columns[place];
      let isDiagonal = vec4<u32>(0u, 1u, 2u, 3u) + 4u * k == vec4<u32>(row);
      if (k == row / 4u && c < width) {
        columns[place] = select(four, vec4<f32>(diagonal[c]), isDiagonal);
      }
      four = keepFrom(four, k, row) * scale;
      let one = vec4<f32>(select(0.0, 1.0, scale != 0.0));
      reflectors[(matrix * 16u + c) * length + k] = select(four, one, isDiagonal);
    }
  }
  storageBarrier();

  // T from V'V: a lane makes every fourth of its rows, and needs no other.
  for (var index = lane; index < 256u; index += 4u) {
    upper[index] = 0.0;
  }
  let reflector0 = matrix * 16u * length;
  let own = reflector0 + 4u * lane * length;
  for (var half = 0u; half < 64u; half += 32u) {
    let other = reflector0 + half / 4u * length;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    for (var k = shape.first / 4u; k < length; k++) {
      let own0 = reflectors[own + k];
      let own1 = reflectors[own + length + k];
      let own2 = reflectors[own + 2u * length + k];
      let own3 = reflectors[own + 3u * length + k];
      let b0 = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
      let b1 = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
      let b2 = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
      let b3 = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
      sum0 += products4(reflectors[other + 0u * length + k][lane], b0, b1, b2, b3);
      sum1 += products4(reflectors[other + 1u * length + k][lane], b0, b1, b2, b3);
      sum2 += products4(reflectors[other + 2u * length + k][lane], b0, b1, b2, b3);
      sum3 += products4(reflectors[other + 3u * length + k][lane], b0, b1, b2, b3);
      sum4 += products4(reflectors[other + 4u * length + k][lane], b0, b1, b2, b3);
      sum5 += products4(reflectors[other + 5u * length + k][lane], b0, b1, b2, b3);
      sum6 += products4(reflectors[other + 6u * length + k][lane], b0, b1, b2, b3);
      sum7 += products4(reflectors[other + 7u * length + k][lane], b0, b1, b2, b3);
    }
    products[half + 0u + lane] = sum0;
    products[half + 4u + lane] = sum1;
    products[half + 8u + lane] = sum2;
    products[half + 12u + lane] = sum3;
    products[half + 16u + lane] = sum4;
    products[half + 20u + lane] = sum5;
    products[half + 24u + lane] = sum6;
    products[half + 28u + lane] = sum7;
  }
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
