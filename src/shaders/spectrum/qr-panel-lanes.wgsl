// One panel of a Householder QR factorisation, in place, as qr-panel.wgsl, with the same operands, where a CPU plays the GPU
// with subgroups of four lanes, or of eight.
//
// One workgroup per matrix, of `lanes` threads, a subgroup; a lane has every fourth row, or every eighth, so that neighbouring
// lanes read neighbouring elements. A step passes over the columns once: it applies the newest reflector to those after it, and sums
// the next pivot column's products with all of them. Those with the columns before are products of reflectors, for T.

enable subgroups;
// All lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  columns: u32,
  padded: u32, // columns held per matrix
  length4: u32, // groups of four rows
  first: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> columns: array<f32>;
@group(0) @binding(2) var<storage, read_write> reflectors: array<f32>;
@group(0) @binding(3) var<storage, read_write> triangle: array<f32>;

// 4, or 8 where subgroups have as many.
override lanes: u32 = 4u;

var<workgroup> partials: array<f32, 128>; // [column, lane]
var<workgroup> weights: array<f32, 16>; // what is taken of the newest reflector, unscaled
var<workgroup> scales: array<f32, 16>; // reflector = scale * what the column holds below its diagonal
var<workgroup> diagonal: array<f32, 16>;
var<workgroup> factors: array<f32, 16>; // tau of each reflector
var<workgroup> upper: array<f32, 256>; // T
var<workgroup> overlaps: array<f32, 256>; // [earlier reflector, later one]: V'V above its diagonal

fn total(column: u32) -> f32 {
  var sum = 0.0;
  for (var at = lanes * column; at < lanes * column + lanes; at += 4u) {
    sum += (partials[at] + partials[at + 1u]) + (partials[at + 2u] + partials[at + 3u]);
  }
  return sum;
}

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.x;
  let length = 4u * shape.length4;
  let width = min(16u, shape.columns - shape.first);
  let panel = (matrix * shape.padded + shape.first) * length;
  for (var c = lane; c < 16u; c += lanes) {
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
    // The newest reflector's first row; it may be in the group of four before the next one's.
    let headRow = max(nextRow, shape.first + 1u) - 1u;
    // Four columns at a time; those before `next` have no weight and stay as they are.
    for (var c = 0u; c < 16u; c += 4u) {
      let own = panel + c * length;
      let four = vec4<f32>(weights[c], weights[c + 1u], weights[c + 2u], weights[c + 3u]);
      // The pivot column is as it was until its four are done, and then as it is to be.
      let pivotWeight = select(0.0, nextWeight, c <= next);
      var sums = vec4<f32>();
      for (var k = headRow / 4u * 4u + lane; k < length; k += lanes) {
        let isHead = k == headRow && next > 0u;
        let v = select(select(0.0, columns[before + k], k >= nextRow), newHead, isHead);
        let p = select(0.0, columns[pivot + k] - pivotWeight * v, k >= nextRow);
        let left = vec4<f32>(
          columns[own + k],
          columns[own + length + k],
          columns[own + 2u * length + k],
          columns[own + 3u * length + k],
        ) - four * v;
        columns[own + k] = left.x;
        columns[own + length + k] = left.y;
        columns[own + 2u * length + k] = left.z;
        columns[own + 3u * length + k] = left.w;
        sums += p * left;
      }
      partials[lanes * c + lane] = sums.x;
      partials[lanes * (c + 1u) + lane] = sums.y;
      partials[lanes * (c + 2u) + lane] = sums.z;
      partials[lanes * (c + 3u) + lane] = sums.w;
    }
    storageBarrier();
    workgroupBarrier();

    let square = total(next);
    let pivotHead = columns[pivot + nextRow];
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
    for (var c = lane; c < 16u; c += lanes) {
      let product = (total(c) - reflected * columns[panel + c * length + nextRow]) * inverse;
      weights[c] = select(0.0, tau * inverse * product, c > next);
      overlaps[16u * c + next] = product * scales[c];
      if (c == next) {
        scales[c] = inverse;
        diagonal[c] = reflected;
        factors[c] = tau;
      }
    }
    workgroupBarrier();
  }

  // What the last reflector leaves to do is the padding's, which is zero. Now the reflectors, and R's diagonal.
  for (var c = 0u; c < 16u; c++) {
    let row = shape.first + c;
    let scale = scales[c];
    for (var k = shape.first + lane; k < length; k += lanes) {
      let place = panel + c * length + k;
      let below = select(0.0, columns[place] * scale, k > row);
      reflectors[(matrix * 16u + c) * length + k] = select(below, 1.0, k == row && scale != 0.0);
      if (k == row && c < width) {
        columns[place] = diagonal[c];
      }
    }
  }

  // T from V'V: a lane makes every fourth or eighth of its rows, and needs no other.
  for (var index = lane; index < 256u; index += lanes) {
    upper[index] = 0.0;
  }
  workgroupBarrier();
  for (var step = 0u; step < width; step++) {
    for (var row = lane; row < step; row += lanes) {
      var sum = 0.0;
      for (var i = row; i < step; i++) {
        sum += upper[16u * row + i] * overlaps[16u * i + step];
      }
      upper[16u * row + step] = -factors[step] * sum;
    }
    if (lane == step % lanes) {
      upper[17u * step] = factors[step];
    }
  }
  workgroupBarrier();
  for (var index = lane; index < 256u; index += lanes) {
    triangle[256u * matrix + index] = upper[index];
  }
}
