// A power of two for each row of the centred matrix, for project-vectors.wgsl: over the vectors k, the smallest one above
// |c_k[row]| · scale / 2^floor(log2 |c_k|), where scale brings the matrix's largest centred magnitude below one.
//
//   vectors  F32 [matrices, vectors, rows]
//   summary  U32 [matrices, 4]: word 2 holds the bits of the largest centred magnitude
//   norms    F32 [matrices, padded]
//   extents  F32 [matrices, rows]
//
// One thread per group of four rows; the grid is (groups of four / 64, matrices). Includes snippets/powers-of-two.wgsl.

struct Shape {
  vectors: u32,
  padded: u32, // norms per matrix
  length4: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> extents: array<vec4<f32>>;

// 1 / 2^floor(log2 norm), and 1 for 0; by its bits, since a division need not be exact.
fn inversePowerUnder(norm: f32) -> f32 {
  return select(bitcast<f32>(0x7f000000u - (bitcast<u32>(norm) & 0x7f800000u)), 1.0, norm == 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let k = id.x;
  let matrix = id.y;
  if (k >= shape.length4) {
    return;
  }
  let scale = centredScale(summary[4u * matrix + 2u]);
  var largest = vec4<f32>(0.0);
  for (var vector = 0u; vector < shape.vectors; vector++) {
    let four = vectors[(matrix * shape.vectors + vector) * shape.length4 + k];
    let factor = scale * inversePowerUnder(norms[matrix * shape.padded + vector]);
    largest = max(largest, abs(four) * factor);
  }
  let exponents = clamp(vec4<i32>(bitcast<vec4<u32>>(largest) >> vec4<u32>(23u)) + 1, vec4<i32>(27), vec4<i32>(227));
  extents[matrix * shape.length4 + k] = bitcast<vec4<f32>>(vec4<u32>(exponents) << vec4<u32>(23u));
}
