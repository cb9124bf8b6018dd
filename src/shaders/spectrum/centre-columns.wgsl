// Subtracts each column's mean from one row-major matrix and writes the result as contiguous vectors: the rows, or the
// columns where `transposed`.
//
//   matrix   F32 [rows, columns], read as bits; it starts at element `offset`
//   means    I32 [matrices, columns, 5], of column-means.wgsl
//   summary  U32 [matrices, 4]; word 2 becomes the bits of the largest magnitude written
//   centred  F32 [vectors, stride] from `targetOffset` on; what lies beyond a vector's length is written as zero
//
// One thread per element of the padded output; the grid is (stride / 16, vectors / 16). The matrix's power of two, found by
// column-means.wgsl, is divided out; a constant column, which had no say in it, becomes zero however large it is. The
// difference is taken digit by digit in integers, so that it is the float32 nearest to the exact one however large the
// mean, up to 2^-47 of the column's largest magnitude. Includes snippets/digits.wgsl.

struct Shape {
  rows: u32,
  columns: u32,
  offset: u32,
  slot: u32,
  transposed: u32,
  stride: u32, // floats from one output vector to the next
  targetOffset: u32, // floats before this matrix in `centred`
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> matrix: array<u32>;
@group(0) @binding(2) var<storage, read> means: array<i32>;
@group(0) @binding(3) var<storage, read_write> summary: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> centred: array<f32>;

fn powerOfTwo(exponent: i32) -> f32 {
  return bitcast<f32>(u32(clamp(exponent, -126, 127) + 127) << 23u);
}

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let isTransposed = shape.transposed == 1u;
  let vectors = select(shape.rows, shape.columns, isTransposed);
  let length = select(shape.columns, shape.rows, isTransposed);
  if (id.y >= vectors || id.x >= shape.stride) {
    return;
  }
  let place = shape.targetOffset + id.y * shape.stride + id.x;
  if (id.x >= length) {
    centred[place] = 0.0;
    return;
  }
  let row = select(id.y, id.x, isTransposed);
  let column = select(id.x, id.y, isTransposed);
  let base = 5u * column;
  let exponent = means[base];
  let bits = matrix[shape.offset + row * shape.columns + column];
  let own = digits(bits, exponent);
  let difference =
    own - vec4<i32>(means[base + 1u], means[base + 2u], means[base + 3u], means[base + 4u]);
  // As two whole numbers, upper + lower / 2^24, with |lower| <= 2^23; where upper has more than 24 bits, the last two
  // go with lower. Then both are exact and the one addition rounds.
  var upper = difference.x * 4096 + difference.y;
  var lower = difference.z * 4096 + difference.w;
  let carry = (lower + 0x800000) >> 24u;
  upper += carry;
  lower -= carry * 0x1000000;
  if (abs(upper) >= 0x1000000) {
    let last = upper & 3;
    upper -= last;
    lower += last * 0x1000000;
  }
  let sum = f32(upper) * 0x1p-24f + f32(lower) * 0x1p-48f;
  let matrixExponent = exponentAbove(atomicLoad(&summary[4u * shape.slot + 1u]));
  let shift = exponent - matrixExponent;
  let result = sum * select(0.0, powerOfTwo(shift), shift > -100);
  centred[place] = result;
  atomicMax(&summary[4u * shape.slot + 2u], bitcast<u32>(result) & 0x7fffffffu);
}
