// The exact mean of every column of one row-major matrix, and the largest magnitude of the columns that are not constant.
//
//   matrix   F32 [rows, columns], read as bits; it starts at element `offset`
//   means    I32 [matrices, columns, 5]: the exponent e, and the digits of mean / 2^e in units of 2^-12, -24, -36, -48
//   summary  U32 [matrices, 4]: 1 if anything is not a finite number, the bits of the largest magnitude, and two words
//            that later kernels use
//
// One thread per column; the grid is (columns / 64). It reads bits and sums integers. So the order, a compiler's fast
// mathematics and the flushing of subnormals cannot change the result. With 2^e above the column's largest magnitude,
// x / 2^e is cut into four signed digits of 12 bits. Each digit is summed over the rows (exact for rows ≤ 2^18), and the
// sums are divided by long division. Includes snippets/digits.wgsl.

struct Shape {
  rows: u32,
  columns: u32,
  offset: u32, // elements from the start of the binding to the matrix
  slot: u32, // which matrix of the group
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> matrix: array<u32>;
@group(0) @binding(2) var<storage, read_write> means: array<i32>;
@group(0) @binding(3) var<storage, read_write> summary: array<atomic<u32>>;

const INFINITY_BITS = 0x7f800000u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let column = id.x;
  if (column >= shape.columns) {
    return;
  }
  let top = matrix[shape.offset + column];
  var largest = 0u;
  var isConstant = true;
  for (var row = 0u; row < shape.rows; row++) {
    let bits = matrix[shape.offset + row * shape.columns + column];
    largest = max(largest, bits & 0x7fffffffu);
    isConstant = isConstant && bits == top;
  }
  if (largest >= INFINITY_BITS) {
    atomicMax(&summary[4u * shape.slot], 1u);
    largest = 0u;
  }
  if (!isConstant) {
    atomicMax(&summary[4u * shape.slot + 1u], largest);
  }

  let exponent = exponentAbove(largest);
  var sums = vec4<i32>(0);
  for (var row = 0u; row < shape.rows; row++) {
    sums += digits(matrix[shape.offset + row * shape.columns + column], exponent);
  }
  let rows = i32(shape.rows);
  let base = 5u * column;
  means[base] = exponent;
  var remainder = 0;
  for (var place = 0u; place < 4u; place++) {
    let dividend = remainder * 4096 + sums[place];
    means[base + 1u + place] = dividend / rows;
    remainder = dividend % rows;
  }
}
