// The Euclidean norm of every vector of a batch.
//
//   vectors  F32 [matrices, vectors, length]
//   summary  U32 [matrices, 4]: word 2 holds the bits of the matrix's largest centred magnitude
//   norms    F32 [matrices, padded]
//
// One workgroup per vector, of 32 threads: each sums the squares of every 32nd group of four, then one thread adds the 32
// sums. Where `scaled`, each element is first multiplied by the power of two that brings the matrix's largest centred
// magnitude below one. The square root is refined once, since WGSL's may be inexact. Includes snippets/powers-of-two.wgsl.

struct Shape {
  vectors: u32, // vectors held per matrix
  live: u32, // those that count; the norms of the rest are zero
  length4: u32, // groups of four floats per vector
  padded: u32, // norms held per matrix
  scaled: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;

var<workgroup> sums: array<f32, 32>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let vector = group.x;
  let matrix = group.y;
  let factor = select(1.0, centredScale(summary[4u * matrix + 2u]), shape.scaled == 1u);
  var sum = 0.0;
  if (vector < shape.live) {
    let base = (matrix * shape.vectors + vector) * shape.length4;
    for (var k = thread; k < shape.length4; k += 32u) {
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
    norms[matrix * shape.padded + vector] = root;
  }
}
