// Prepares the directions of project-vectors: the vectors w_j of the converged triangular factor, largest norm first.
//
// lower[matrix, j, k]; sorted[matrix, k] the norms |c_k| of the sorted centred vectors; order, norms and floors those of
// the w_j. directions[matrix, rank] holds four words: j, the bits of 1 / e and of e / |w_j|, where e is the least power
// of two above |w_j[k]| f_k over all k with f_k = 2^floor(log2 |c_k|), and 0. A w_j that counts as zero gets factors
// of zero. One thread a vector.

struct Uniforms {
  padded: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> lower: array<f32>;
@group(0) @binding(2) var<storage, read> sorted: array<f32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> norms: array<f32>; // sorted too
@group(0) @binding(5) var<storage, read> floors: array<f32>;
@group(0) @binding(6) var<storage, read_write> directions: array<vec4<u32>>;

/// 2^floor(log2 norm), and 1 for 0.
fn powerUnder(norm: f32) -> f32 {
  return select(bitcast<f32>(bitcast<u32>(norm) & 0x7f800000u), 1.0, norm == 0.0);
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let matrix = id.y;
  let base = matrix * uniforms.padded;
  if (id.x >= uniforms.padded) {
    return;
  }
  let vector = order[base + id.x];
  let norm = norms[base + id.x];
  if (norm <= floors[matrix]) {
    directions[base + id.x] = vec4<u32>(vector, 0u, 0u, 0u);
    return;
  }
  var largest = 0.0;
  for (var k = 0u; k < uniforms.padded; k++) {
    largest = max(largest, abs(lower[(base + vector) * uniforms.padded + k]) * powerUnder(sorted[base + k]));
  }
  let exponent = clamp((bitcast<u32>(largest) >> 23u) + 1u, 27u, 227u);
  let extent = bitcast<f32>(exponent << 23u);
  let inverse = bitcast<f32>((254u - exponent) << 23u);
  directions[base + id.x] = vec4<u32>(vector, bitcast<u32>(inverse), bitcast<u32>(extent / norm), 0u);
}
