// Prepares the directions of project-vectors.wgsl: the vectors w_j of the converged triangular factor, largest norm first.
//
//   lower          F32 [matrices, padded, padded]: w_j[k]
//   sorted         F32 [matrices, padded]: the norms |c_k| of the sorted centred vectors
//   order, norms   U32, F32 [matrices, padded]; floors  F32 [matrices]: of the w_j, from order-descending.wgsl
//   directions     U32 [matrices, padded, 4]: of each rank j, the bits of 1 / e and of e / |w_j|, and 0, where e is the
//                  smallest power of two above |w_j[k]| f_k over all k with f_k = 2^floor(log2 |c_k|)
//
// One thread per vector; the grid is (padded / 32, matrices). A w_j that counts as zero gets factors of zero.
// Includes snippets/powers-of-two.wgsl.

struct Shape {
  padded: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> lower: array<f32>;
@group(0) @binding(2) var<storage, read> sorted: array<f32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> norms: array<f32>; // sorted too
@group(0) @binding(5) var<storage, read> floors: array<f32>;
@group(0) @binding(6) var<storage, read_write> directions: array<vec4<u32>>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let matrix = id.y;
  let base = matrix * shape.padded;
  if (id.x >= shape.padded) {
    return;
  }
  let vector = order[base + id.x];
  let norm = norms[base + id.x];
  if (norm <= floors[matrix]) {
    directions[base + id.x] = vec4<u32>(vector, 0u, 0u, 0u);
    return;
  }
  var largest = 0.0;
  for (var k = 0u; k < shape.padded; k++) {
    largest = max(largest, abs(lower[(base + vector) * shape.padded + k]) * powerUnder(sorted[base + k]));
  }
  let exponent = clamp((bitcast<u32>(largest) >> 23u) + 1u, 27u, 227u);
  let extent = bitcast<f32>(exponent << 23u);
  let inverse = bitcast<f32>((254u - exponent) << 23u);
  directions[base + id.x] = vec4<u32>(vector, bitcast<u32>(inverse), bitcast<u32>(extent / norm), 0u);
}
