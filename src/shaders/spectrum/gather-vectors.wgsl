// Copies vectors in descending order of norm, scaled by the power of two that brings the matrix's largest centred
// magnitude (summary[4 matrix + 2]) below one; vectors that count as zero, and the padding up to whole blocks, become
// zero. From [matrix, vectors, length] to [matrix, padded, length].
//
// One thread a group of four floats.

struct Uniforms {
  vectors: u32,
  padded: u32,
  length4: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> sorted: array<f32>;
@group(0) @binding(5) var<storage, read> floors: array<f32>;
@group(0) @binding(6) var<storage, read_write> gathered: array<vec4<f32>>;

fn centredScale(magnitudeBits: u32) -> f32 {
  return bitcast<f32>(u32(clamp(126 - i32(magnitudeBits >> 23u), -126, 127) + 127) << 23u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let k = id.x;
  let rank = id.y;
  let matrix = id.z;
  if (k >= uniforms.length4) {
    return;
  }
  let place = matrix * uniforms.padded + rank;
  var four = vec4<f32>(0.0);
  if (rank < uniforms.vectors && sorted[place] > floors[matrix]) {
    let origin = matrix * uniforms.vectors + order[place];
    four = source[origin * uniforms.length4 + k] * centredScale(summary[4u * matrix + 2u]);
  }
  gathered[place * uniforms.length4 + k] = four;
}
