// Copies vectors in descending order of norm, scaled by the power of two that brings the matrix's largest centred magnitude
// below one. Vectors that count as zero, and the padding up to whole blocks, become zero.
//
//   source         F32 [matrices, vectors, length]
//   summary        U32 [matrices, 4]: word 2 holds the bits of the largest centred magnitude
//   order, sorted  U32, F32 [matrices, padded]; floors  F32 [matrices]: from order-descending.wgsl
//   gathered       F32 [matrices, padded, length]
//
// One thread per group of four floats; the grid is (groups of four / 64, padded, matrices).
// Includes snippets/powers-of-two.wgsl.

struct Shape {
  vectors: u32,
  padded: u32,
  length4: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> sorted: array<f32>;
@group(0) @binding(5) var<storage, read> floors: array<f32>;
@group(0) @binding(6) var<storage, read_write> gathered: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let k = id.x;
  let rank = id.y;
  let matrix = id.z;
  if (k >= shape.length4) {
    return;
  }
  let place = matrix * shape.padded + rank;
  var four = vec4<f32>(0.0);
  if (rank < shape.vectors && sorted[place] > floors[matrix]) {
    let origin = matrix * shape.vectors + order[place];
    four = source[origin * shape.length4 + k] * centredScale(summary[4u * matrix + 2u]);
  }
  gathered[place * shape.length4 + k] = four;
}
