// Squared Euclidean distances between the rows of one row-major matrix and a run of them, the candidates, each difference
// times `scale`, a power of two.
//
//   matrix     F32 [points, columns]
//   distances  F32 [candidates from `first` on, points]
//
// By the differences themselves: |a|² + |b|² − 2ab loses everything where rows nearly coincide (Facco et al. 2017 need the
// ratio of the two smallest). A workgroup of 16 × 16 threads takes a tile of 64 points and 64 candidates, in slabs of 16
// columns; a thread has 4 × 4 of its sums. Each slab is summed by itself first, so that the rounding of a long row grows
// with the number of slabs, not of columns. The grid is (points / 64, candidates / 64).

struct Shape {
  points: u32,
  columns: u32,
  first: u32, // the first candidate
  candidates: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> distances: array<f32>;

const TILE = 64u;
const SLAB = 16u;

// Columns of a slab stand one after another, each with its 16 groups of four rows.
var<workgroup> pointSlab: array<vec4<f32>, 256>;
var<workgroup> candidateSlab: array<vec4<f32>, 256>;

fn element(row: u32, rows: u32, column: u32) -> f32 {
  if (row >= rows || column >= shape.columns) {
    return 0.0;
  }
  return matrix[row * shape.columns + column];
}

fn four(row: u32, rows: u32, column: u32) -> vec4<f32> {
  return vec4<f32>(
    element(row, rows, column),
    element(row + 1u, rows, column),
    element(row + 2u, rows, column),
    element(row + 3u, rows, column),
  );
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let point = group.x * TILE + 4u * local.x;
  let candidate = group.y * TILE + 4u * local.y;
  let last = shape.first + shape.candidates;
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  var sum2 = vec4<f32>(0.0);
  var sum3 = vec4<f32>(0.0);
  // This thread brings column local.x of both slabs, four rows of each: neighbours read neighbouring columns.
  let place = local.x * SLAB + local.y;
  let ownPoint = group.x * TILE + 4u * local.y;
  for (var column = 0u; column < shape.columns; column += SLAB) {
    pointSlab[place] = four(ownPoint, shape.points, column + local.x);
    candidateSlab[place] = four(shape.first + candidate, last, column + local.x);
    workgroupBarrier();
    var slab0 = vec4<f32>(0.0);
    var slab1 = vec4<f32>(0.0);
    var slab2 = vec4<f32>(0.0);
    var slab3 = vec4<f32>(0.0);
    for (var k = 0u; k < SLAB; k++) {
      let a = pointSlab[k * SLAB + local.x];
      let b = candidateSlab[k * SLAB + local.y];
      let difference0 = (a - b.x) * shape.scale;
      let difference1 = (a - b.y) * shape.scale;
      let difference2 = (a - b.z) * shape.scale;
      let difference3 = (a - b.w) * shape.scale;
      slab0 += difference0 * difference0;
      slab1 += difference1 * difference1;
      slab2 += difference2 * difference2;
      slab3 += difference3 * difference3;
    }
    sum0 += slab0;
    sum1 += slab1;
    sum2 += slab2;
    sum3 += slab3;
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    if (point + i < shape.points) {
      let at = candidate * shape.points + point + i;
      if (candidate < shape.candidates) {
        distances[at] = sum0[i];
      }
      if (candidate + 1u < shape.candidates) {
        distances[at + shape.points] = sum1[i];
      }
      if (candidate + 2u < shape.candidates) {
        distances[at + 2u * shape.points] = sum2[i];
      }
      if (candidate + 3u < shape.candidates) {
        distances[at + 3u * shape.points] = sum3[i];
      }
    }
  }
}
