// The exact mean of every column of one row-major matrix [rows, columns], and the largest magnitude of the whole.
//
// One thread a column. Sums run in integers, so neither the order nor a compiler's fast mathematics can change them:
// with 2^e above the column's largest magnitude, x / 2^e is cut into four signed digits of 12 bits, each digit is
// summed over the rows (exact for rows <= 2^18), and the sums are divided by long division.
// means holds five words a column: the exponent e and the digits of mean / 2^e, in units of 2^-12, -24, -36, -48.
// summary holds four words a matrix: 1 if anything is no finite number, the bits of the largest magnitude, and two
// that later kernels use.

struct Uniforms {
  rows: u32,
  columns: u32,
  offset: u32, // elements from the start of the binding to the matrix
  slot: u32, // which matrix of the group
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<i32>;
@group(0) @binding(3) var<storage, read_write> summary: array<atomic<u32>>;

const INFINITY_BITS = 0x7f800000u;

fn powerOfTwo(exponent: i32) -> f32 {
  return bitcast<f32>(u32(clamp(exponent, -126, 127) + 127) << 23u);
}

/// The least e, but no less than -110, with magnitude < 2^e.
fn exponentAbove(magnitudeBits: u32) -> i32 {
  return max(i32(magnitudeBits >> 23u) - 126, -110);
}

fn digits(value: f32, factor: f32) -> vec4<i32> {
  let first = value * factor;
  let second = (first - trunc(first)) * 4096.0;
  let third = (second - trunc(second)) * 4096.0;
  let fourth = (third - trunc(third)) * 4096.0;
  return vec4<i32>(i32(first), i32(second), i32(third), i32(fourth));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let column = id.x;
  if (column >= uniforms.columns) {
    return;
  }
  var largest = 0u;
  for (var row = 0u; row < uniforms.rows; row++) {
    let bits = bitcast<u32>(matrix[uniforms.offset + row * uniforms.columns + column]) & 0x7fffffffu;
    largest = max(largest, bits);
  }
  if (largest >= INFINITY_BITS) {
    atomicMax(&summary[4u * uniforms.slot], 1u);
    largest = 0u;
  }
  atomicMax(&summary[4u * uniforms.slot + 1u], largest);

  let exponent = exponentAbove(largest);
  let factor = powerOfTwo(12 - exponent);
  var sums = vec4<i32>(0);
  for (var row = 0u; row < uniforms.rows; row++) {
    sums += digits(matrix[uniforms.offset + row * uniforms.columns + column], factor);
  }
  let rows = i32(uniforms.rows);
  let base = 5u * column;
  means[base] = exponent;
  var remainder = 0;
  for (var place = 0u; place < 4u; place++) {
    let dividend = remainder * 4096 + sums[place];
    means[base + 1u + place] = dividend / rows;
    remainder = dividend % rows;
  }
}
