// The Euclidean norm of every vector of a batch: norms[matrix, vector] for vectors [matrix, vector, length].
//
// One workgroup a vector: each thread sums the squares of every 32nd group of four, then one thread adds the 32 sums.
// With `scaled` 1 each element is first multiplied by the power of two that brings the matrix's largest centred
// magnitude (summary[4 matrix + 2]) below one. The square root is refined once, since WGSL's may be inexact.

struct Uniforms {
  vectors: u32, // vectors held a matrix
  live: u32, // those that count; the norms of the rest are zero
  length4: u32, // groups of four floats a vector
  padded: u32, // norms held a matrix
  scaled: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;

var<workgroup> sums: array<f32, 32>;

fn centredScale(magnitudeBits: u32) -> f32 {
  return bitcast<f32>(u32(clamp(126 - i32(magnitudeBits >> 23u), -126, 127) + 127) << 23u);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let vector = group.x;
  let matrix = group.y;
  let factor = select(1.0, centredScale(summary[4u * matrix + 2u]), uniforms.scaled == 1u);
  var sum = 0.0;
  if (vector < uniforms.live) {
    let base = (matrix * uniforms.vectors + vector) * uniforms.length4;
    for (var k = thread; k < uniforms.length4; k += 32u) {
      let four = vectors[base + k] * factor;
      sum += dot(four, four);
    }
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread == 0u) {
    var total = 0.0;
    for (var other = 0u; other < 32u; other++) {
      total += sums[other];
    }
    var root = 0.0;
    if (total > 1e-37) {
      root = sqrt(total);
      root = 0.5 * (root + total / root);
    }
    norms[matrix * uniforms.padded + vector] = root;
  }
}
