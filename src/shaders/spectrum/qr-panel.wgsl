// One panel of a Householder QR factorisation, in place: 16 columns of each matrix from column `first` on (Golub and Van
// Loan, Matrix Computations, 5.1 and 5.2: compact WY form).
//
//   columns     F32 [matrices, padded, rows], contiguous; R comes to stand on and above the diagonal
//   reflectors  F32 [matrices, 16, rows]: one on the diagonal, zero above; written from row `first` on
//   triangle    F32 [matrices, 16, 16]: T with H₁ H₂ … H₁₆ = I − V T V′
//
// One workgroup per matrix; thread = (column of the panel, one of eight interleaved parts of the rows). A step takes one pass
// of dot products of the pivot column with all sixteen: with itself for its norm, with later columns for their update, with
// earlier reflectors for T.

struct Shape {
  columns: u32,
  padded: u32, // columns held per matrix
  length4: u32, // groups of four rows
  first: u32, // a multiple of 16
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> reflectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> triangle: array<f32>;

const PARTS = 8u;

var<workgroup> partials: array<f32, 128>;
var<workgroup> scales: array<f32, 16>; // reflector = scale * what the column holds below its diagonal
var<workgroup> diagonal: array<f32, 16>;
var<workgroup> overlaps: array<f32, 16>; // earlier reflectors' dot products with the newest
var<workgroup> upper: array<f32, 256>; // T
var<workgroup> factor: f32; // tau of the newest reflector

fn sumOfPartials(column: u32) -> f32 {
  var sum = 0.0;
  for (var part = 0u; part < PARTS; part++) {
    sum += partials[column * PARTS + part];
  }
  return sum;
}

// Keeps the components whose row is `lane` or later.
fn keepFrom(four: vec4<f32>, lane: u32) -> vec4<f32> {
  return select(vec4<f32>(0.0), four, vec4<u32>(0u, 1u, 2u, 3u) >= vec4<u32>(lane));
}

// T[column, step] of the newest reflector, by the threads of part 0.
fn extendTriangle(column: u32, step: u32) {
  if (column < step) {
    var sum = 0.0;
    for (var i = column; i < step; i++) {
      sum += upper[column * 16u + i] * overlaps[i];
    }
    upper[column * 16u + step] = -factor * sum;
  } else if (column == step) {
    upper[column * 16u + step] = factor;
  }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.x;
  let part = thread % PARTS;
  let column = thread / PARTS;
  let width = min(16u, shape.columns - shape.first);
  let panel = (matrix * shape.padded + shape.first) * shape.length4;
  let own = panel + column * shape.length4;
  upper[thread] = 0.0;
  upper[thread + 128u] = 0.0;
  workgroupBarrier();

  for (var step = 0u; step < width; step++) {
    let row = shape.first + step;
    let row4 = row / 4u;
    let lane = row % 4u;
    let pivot = panel + step * shape.length4;
    var sum = 0.0;
    if (column < width) {
      for (var k = row4 + part; k < shape.length4; k += PARTS) {
        var four = columns[pivot + k];
        if (k == row4) {
          four = keepFrom(four, lane);
        }
        sum += dot(four, columns[own + k]);
      }
    }
    partials[thread] = sum;
    let head = columns[own + row4][lane];
    let pivotHead = columns[pivot + row4][lane];
    if (step > 0u && part == 0u) {
      extendTriangle(column, step - 1u);
    }
    workgroupBarrier();

    let square = sumOfPartials(step);
    var reflected = 0.0; // R's diagonal element
    var newHead = 0.0; // the reflector's first element before scaling
    var inverse = 0.0;
    var tau = 0.0;
    if (square > 1e-36) {
      reflected = select(-sqrt(square), sqrt(square), pivotHead < 0.0);
      newHead = pivotHead - reflected;
      inverse = 1.0 / newHead;
      tau = -newHead / reflected;
    }
    let product = (sumOfPartials(column) - reflected * head) * inverse;
    if (part == 0u) {
      if (column < step) {
        overlaps[column] = product * scales[column];
      } else if (column == step) {
        scales[column] = inverse;
        diagonal[column] = reflected;
        factor = tau;
      }
    }
    if (column > step && column < width) {
      let weight = tau * product * inverse;
      for (var k = row4 + part; k < shape.length4; k += PARTS) {
        var four = columns[pivot + k];
        if (k == row4) {
          four = keepFrom(four, lane + 1u);
          four[lane] = newHead;
        }
        columns[own + k] -= weight * four;
      }
    }
    workgroupBarrier();
    storageBarrier();
  }
  if (part == 0u) {
    extendTriangle(column, width - 1u);
  }
  workgroupBarrier();

  triangle[matrix * 256u + thread] = upper[thread];
  triangle[matrix * 256u + thread + 128u] = upper[thread + 128u];
  let row = shape.first + column;
  let row4 = row / 4u;
  let lane = row % 4u;
  let reflector = (matrix * 16u + column) * shape.length4;
  let isLive = column < width;
  for (var k = shape.first / 4u + part; k < shape.length4; k += PARTS) {
    var four = vec4<f32>(0.0);
    if (isLive && k >= row4) {
      four = columns[own + k] * scales[column];
      if (k == row4) {
        columns[own + k][lane] = diagonal[column];
        four = keepFrom(four, lane + 1u);
        four[lane] = select(0.0, 1.0, scales[column] != 0.0);
      }
    }
    reflectors[reflector + k] = four;
  }
}
