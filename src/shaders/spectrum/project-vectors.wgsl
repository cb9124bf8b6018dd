// B = C V beyond float32: projects the centred vectors C (in sorted order) on the directions V = w_j / |w_j| that Jacobi
// found, so that even a small |B_j| has all its digits. The splitting is Ozaki, Ogita, Oishi and Rump's (Numerical
// Algorithms 59, 2012): what is large adds up without rounding, so that no order of summation and no compiler's fast
// mathematics can change it.
//
//   centred        F32 [matrices, vectors, rows]
//   summary        U32 [matrices, 4]: word 2 holds the bits of the largest centred magnitude
//   order, sorted  U32, F32 [matrices, padded]: the centred vectors' ranks, and their norms
//   lower          F32 [matrices, padded, padded]: w_j[k]
//   directions     U32 [matrices, padded, 4], from direction-extents.wgsl
//   extents        F32 [matrices, rows], from row-extents.wgsl
//   projected      F32 [matrices, padded, rows], by rank
//
// C, divided by row extents and vector norms (powers of two), and V are below one. Each is cut into a digit of 10 bits and
// the rest, c = (d + r) / 2^10, and likewise v = (e + s) / 2^10. Sums of 16 products d·e are whole numbers up to 2^24, exact
// in float32, and are kept in two parts. The products d·s + r·2^10·v are 2^-11 as large, and their sums may round: the error
// of a sum is about 2^-32 of the largest product.
//
// One workgroup, of 64 threads, makes 32 rows by 32 directions, 4 × 4 per thread, over staged slabs of 16 vectors. The grid is
// (groups of 32 rows from `firstGroup` on, padded / 32, matrices). Includes snippets/powers-of-two.wgsl and snippets/split-sums.wgsl.

struct Shape {
  vectors: u32, // centred vectors per matrix
  padded: u32, // directions per matrix, a multiple of 32
  length4: u32,
  firstGroup: u32, // the 32 rows at which this dispatch begins
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> centred: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>; // of the centred vectors
@group(0) @binding(4) var<storage, read> sorted: array<f32>; // their norms
@group(0) @binding(5) var<storage, read> lower: array<f32>; // w_j[k]
@group(0) @binding(6) var<storage, read> directions: array<vec4<u32>>; // from direction-extents
@group(0) @binding(7) var<storage, read> extents: array<vec4<f32>>; // from row-extents
@group(0) @binding(8) var<storage, read_write> projected: array<vec4<f32>>;

const SLAB = 16u;

var<workgroup> rowDigits: array<vec4<f32>, 128>; // [vector of the slab, four rows]
var<workgroup> rowRests: array<vec4<f32>, 128>;
var<workgroup> directionDigits: array<vec4<f32>, 128>; // [vector of the slab, four directions]
var<workgroup> directionRests: array<vec4<f32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.z;
  let base = matrix * shape.padded;
  let firstRow4 = (shape.firstGroup + group.x) * 8u;
  let firstDirection = base + group.y * 32u;
  let scale = centredScale(summary[4u * matrix + 2u]);
  let slabs = (shape.vectors + SLAB - 1u) / SLAB;

  var sums0 = Sums();
  var sums1 = Sums();
  var sums2 = Sums();
  var sums3 = Sums();
  let rows = thread % 8u;
  let fourDirections = 4u * (thread / 8u);

  for (var slab = 0u; slab < slabs; slab++) {
    for (var index = thread; index < 128u; index += 64u) {
      let row4 = firstRow4 + index % 8u;
      let k = SLAB * slab + index / 8u;
      var four = vec4<f32>(0.0);
      if (row4 < shape.length4 && k < shape.vectors) {
        let extent = extents[matrix * shape.length4 + row4];
        let factor = scale * inversePower(vec4<f32>(powerUnder(sorted[base + k])));
        let place = (matrix * shape.vectors + order[base + k]) * shape.length4 + row4;
        four = centred[place] * factor * inversePower(extent);
      }
      let row = split(four);
      rowDigits[index] = row.digit;
      rowRests[index] = row.rest;
    }
    for (var index = thread; index < 128u; index += 64u) {
      let k = SLAB * slab + index / 8u;
      let own = firstDirection + 4u * (index % 8u);
      let at = base * shape.padded + k;
      let coefficients = vec4<f32>(
        lower[at + directions[own].x * shape.padded],
        lower[at + directions[own + 1u].x * shape.padded],
        lower[at + directions[own + 2u].x * shape.padded],
        lower[at + directions[own + 3u].x * shape.padded],
      );
      let inverses = bitcast<vec4<f32>>(
        vec4<u32>(directions[own].y, directions[own + 1u].y, directions[own + 2u].y, directions[own + 3u].y),
      );
      let direction = split(coefficients * powerUnder(sorted[base + k]) * inverses);
      directionDigits[index] = direction.digit;
      directionRests[index] = direction.rest;
    }
    workgroupBarrier();
    var whole0 = vec4<f32>();
    var whole1 = vec4<f32>();
    var whole2 = vec4<f32>();
    var whole3 = vec4<f32>();
    var rest0 = vec4<f32>();
    var rest1 = vec4<f32>();
    var rest2 = vec4<f32>();
    var rest3 = vec4<f32>();
    for (var k = 0u; k < SLAB; k++) {
      let digit = rowDigits[8u * k + rows];
      let rest = rowRests[8u * k + rows];
      let digits = directionDigits[8u * k + thread / 8u];
      let rests = directionRests[8u * k + thread / 8u];
      let values = digits + rests; // exact: they were one number
      whole0 += digit * digits.x;
      whole1 += digit * digits.y;
      whole2 += digit * digits.z;
      whole3 += digit * digits.w;
      rest0 += digit * rests.x + rest * values.x;
      rest1 += digit * rests.y + rest * values.y;
      rest2 += digit * rests.z + rest * values.z;
      rest3 += digit * rests.w + rest * values.w;
    }
    sums0 = added(sums0, whole0, rest0);
    sums1 = added(sums1, whole1, rest1);
    sums2 = added(sums2, whole2, rest2);
    sums3 = added(sums3, whole3, rest3);
    workgroupBarrier();
  }

  let row4 = firstRow4 + rows;
  if (row4 < shape.length4) {
    let extent = extents[matrix * shape.length4 + row4];
    let at = firstDirection + fourDirections;
    let target0 = at * shape.length4 + row4;
    projected[target0] = value(sums0) * extent * bitcast<f32>(directions[at].z);
    projected[target0 + shape.length4] = value(sums1) * extent * bitcast<f32>(directions[at + 1u].z);
    projected[target0 + 2u * shape.length4] = value(sums2) * extent * bitcast<f32>(directions[at + 2u].z);
    projected[target0 + 3u * shape.length4] = value(sums3) * extent * bitcast<f32>(directions[at + 3u].z);
  }
}
