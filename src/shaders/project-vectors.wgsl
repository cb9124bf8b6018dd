// B = C V beyond float32: projects the centred vectors C (in sorted order) on the directions V = w_j / |w_j| that
// Jacobi found, so that even a small |B_j| has all its digits. The splitting is Ozaki, Ogita, Oishi and Rump's
// (Numerical Algorithms 59, 2012) with integers for the slices: nothing rounds until the end, and no compiler's fast
// mathematics can break it.
//
// centred[matrix, vector, row] -> projected[matrix, rank of j, row]. C, divided by row extents and vector norms (powers
// of two), and V are each cut into three digits of 11 bits; products under 2^-44 are left out, so that the error is
// about 2^-34 of the largest product. (Two digits of V are too few: beside one massive vector the small parts of the
// first direction round alike, and their errors add up.) One workgroup of 64 threads makes 32 rows by 32 directions,
// 4 x 4 a thread, over staged slabs of 16 vectors.

struct Uniforms {
  vectors: u32, // centred vectors a matrix
  padded: u32, // directions a matrix, a multiple of 32
  length4: u32,
  first_group: u32, // the 32 rows at which this dispatch begins
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> centred: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>; // of the centred vectors
@group(0) @binding(4) var<storage, read> sorted: array<f32>; // their norms
@group(0) @binding(5) var<storage, read> lower: array<vec4<f32>>; // w_j[k]
@group(0) @binding(6) var<storage, read> directions: array<vec4<u32>>; // from direction-extents
@group(0) @binding(7) var<storage, read> extents: array<vec4<f32>>; // from row-extents
@group(0) @binding(8) var<storage, read_write> projected: array<vec4<f32>>;

const SLAB = 16u;

var<workgroup> rowDigits: array<vec4<i32>, 384>; // [vector of the slab, digit, four rows]
var<workgroup> directionDigits: array<i32, 1536>; // [vector of the slab, digit, direction]

struct Sums {
  top: vec4<i32>, // in units of 2^-11
  high: vec4<i32>, // 2^-22
  middle: vec4<i32>, // 2^-33
  low: vec4<i32>, // 2^-44
}

fn centredScale(magnitudeBits: u32) -> f32 {
  return bitcast<f32>(u32(clamp(126 - i32(magnitudeBits >> 23u), -126, 127) + 127) << 23u);
}

/// 2^floor(log2 norm), and 1 for 0.
fn powerUnder(norm: f32) -> f32 {
  return select(bitcast<f32>(bitcast<u32>(norm) & 0x7f800000u), 1.0, norm == 0.0);
}

/// 1 / power by its bits, since a division need not be exact.
fn inversePower(power: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(0x7f000000u) - bitcast<vec4<u32>>(power));
}

fn carried(digit: vec4<i32>) -> vec4<i32> {
  return (digit + 1024) >> vec4<u32>(11u);
}

/// Moves what exceeds 11 bits up, so that 256 more products fit.
fn carry(sums: Sums) -> Sums {
  let toMiddle = carried(sums.low);
  let middle = sums.middle + toMiddle;
  let toHigh = carried(middle);
  let high = sums.high + toHigh;
  let toTop = carried(high);
  return Sums(
    sums.top + toTop,
    high - toTop * 2048,
    middle - toHigh * 2048,
    sums.low - toMiddle * 2048,
  );
}

fn value(sums: Sums) -> vec4<f32> {
  let small = vec4<f32>(sums.low) * 0x1p-44f + vec4<f32>(sums.middle) * 0x1p-33f;
  return (small + vec4<f32>(sums.high) * 0x1p-22f) + vec4<f32>(sums.top) * 0x1p-11f;
}

/// The three digits of a direction's coefficient.
fn digitsAt(index: u32) -> vec3<i32> {
  return vec3<i32>(directionDigits[index], directionDigits[index + 32u], directionDigits[index + 64u]);
}

fn accumulate(
  sums: Sums,
  first: vec4<i32>,
  second: vec4<i32>,
  third: vec4<i32>,
  weights: vec3<i32>,
) -> Sums {
  return Sums(
    sums.top,
    sums.high + first * weights.x,
    sums.middle + first * weights.y + second * weights.x,
    sums.low + first * weights.z + second * weights.y + third * weights.x,
  );
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.z;
  let base = matrix * uniforms.padded;
  let firstRow4 = (uniforms.first_group + group.x) * 8u;
  let firstDirection = base + group.y * 32u;
  let scale = centredScale(summary[4u * matrix + 2u]);
  let slabs = (uniforms.vectors + SLAB - 1u) / SLAB;

  let zero = vec4<i32>(0);
  var sums0 = Sums(zero, zero, zero, zero);
  var sums1 = sums0;
  var sums2 = sums0;
  var sums3 = sums0;
  let rows = thread % 8u;
  let fourDirections = 4u * (thread / 8u);

  for (var slab = 0u; slab < slabs; slab++) {
    for (var index = thread; index < 128u; index += 64u) {
      let row4 = firstRow4 + index % 8u;
      let k = SLAB * slab + index / 8u;
      var four = vec4<f32>(0.0);
      if (row4 < uniforms.length4 && k < uniforms.vectors) {
        let extent = extents[matrix * uniforms.length4 + row4];
        let factor = scale * inversePower(vec4<f32>(powerUnder(sorted[base + k])));
        let place = (matrix * uniforms.vectors + order[base + k]) * uniforms.length4 + row4;
        four = centred[place] * factor * inversePower(extent);
      }
      let first = round(four * 2048.0);
      let afterFirst = (four * 2048.0 - first) * 2048.0;
      let second = round(afterFirst);
      let third = round((afterFirst - second) * 2048.0);
      let slot = (index / 8u) * 24u + index % 8u;
      rowDigits[slot] = vec4<i32>(first);
      rowDigits[slot + 8u] = vec4<i32>(second);
      rowDigits[slot + 16u] = vec4<i32>(third);
    }
    for (var index = thread; index < 128u; index += 64u) {
      let column = index / 4u;
      let k = SLAB * slab + 4u * (index % 4u);
      let direction = directions[firstDirection + column];
      let norms = vec4<f32>(
        powerUnder(sorted[base + k]),
        powerUnder(sorted[base + k + 1u]),
        powerUnder(sorted[base + k + 2u]),
        powerUnder(sorted[base + k + 3u]),
      );
      let four =
        lower[((base + direction.x) * uniforms.padded + k) / 4u] * norms * bitcast<f32>(direction.y);
      let first = round(four * 2048.0);
      let afterFirst = (four * 2048.0 - first) * 2048.0;
      let second = round(afterFirst);
      let third = round((afterFirst - second) * 2048.0);
      for (var c = 0u; c < 4u; c++) {
        let slot = (4u * (index % 4u) + c) * 96u + column;
        directionDigits[slot] = i32(first[c]);
        directionDigits[slot + 32u] = i32(second[c]);
        directionDigits[slot + 64u] = i32(third[c]);
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < SLAB; k++) {
      let first = rowDigits[k * 24u + rows];
      let second = rowDigits[k * 24u + 8u + rows];
      let third = rowDigits[k * 24u + 16u + rows];
      let at = k * 96u + fourDirections;
      sums0 = accumulate(sums0, first, second, third, digitsAt(at));
      sums1 = accumulate(sums1, first, second, third, digitsAt(at + 1u));
      sums2 = accumulate(sums2, first, second, third, digitsAt(at + 2u));
      sums3 = accumulate(sums3, first, second, third, digitsAt(at + 3u));
    }
    if (slab % 16u == 15u) {
      sums0 = carry(sums0);
      sums1 = carry(sums1);
      sums2 = carry(sums2);
      sums3 = carry(sums3);
    }
    workgroupBarrier();
  }

  let row4 = firstRow4 + rows;
  if (row4 < uniforms.length4) {
    let extent = extents[matrix * uniforms.length4 + row4];
    let at = firstDirection + fourDirections;
    let target0 = at * uniforms.length4 + row4;
    projected[target0] = value(carry(sums0)) * extent * bitcast<f32>(directions[at].z);
    projected[target0 + uniforms.length4] = value(carry(sums1)) * extent * bitcast<f32>(directions[at + 1u].z);
    projected[target0 + 2u * uniforms.length4] = value(carry(sums2)) * extent * bitcast<f32>(directions[at + 2u].z);
    projected[target0 + 3u * uniforms.length4] = value(carry(sums3)) * extent * bitcast<f32>(directions[at + 3u].z);
  }
}
