// The products of the vectors of paired blocks: the first part of a Jacobi round (see jacobi-round.wgsl) where a CPU plays the GPU
// with subgroups of four lanes, or of eight. jacobi-round-lanes-angles.wgsl and jacobi-round-lanes-turns.wgsl follow.
//
//   vectors   F32 [matrices, 16 · blocks, length]
//   progress  U32 [matrices, 2]: converged, sweeps so far; a matrix that has converged is left alone
//   grams     F32 [matrices, 3/2 blocks, 16, 16]: the products within each block, then first block by other of each pair
//
// One workgroup per (pair, matrix), of `lanes` threads, a subgroup; the grid is (blocks / 2, matrices). Of each four lanes one
// has four vectors of a block, and they hand the elements of the other vectors round. `crosswise` 1 makes the products of
// different blocks only: those within a block are what the round before left. Includes snippets/block-pair.wgsl and
// snippets/products-of-four.wgsl.

enable subgroups;
// All lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  blocks: u32, // an even number
  length4: u32,
  round: u32, // 0 .. blocks - 2
  crosswise: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> progress: array<u32>;
@group(0) @binding(3) var<storage, read_write> grams: array<vec4<f32>>;

// 4, or 8 where subgroups have as many: then each four of them have half of the rows of products.
override lanes: u32 = 4u;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.y;
  let lane = thread % 4u;
  if (progress[2u * matrix] == 1u) {
    return;
  }
  let length = shape.length4;
  let pair = blockPair(group.x);
  let firstBase = (matrix * shape.blocks + pair.first) * 16u * length;
  let otherBase = (matrix * shape.blocks + pair.other) * 16u * length;
  let firstGram = matrix * (shape.blocks + shape.blocks / 2u);

  // First block by other, and in a sweep's first round first by first and other by other.
  for (var tile = 0u; tile < select(3u, 1u, shape.crosswise == 1u); tile++) {
    let own = select(otherBase, firstBase, tile == 1u) + 4u * lane * length;
    let block = select(select(shape.blocks + group.x, pair.first, tile == 1u), pair.other, tile == 2u);
    let place = (firstGram + block) * 64u + lane;
    // Eight rows of products at a time.
    for (var half = thread / 4u * 8u; half < 16u; half += 2u * lanes) {
      let other = select(firstBase, otherBase, tile == 2u) + half * length;
      var sum0 = vec4<f32>();
      var sum1 = vec4<f32>();
      var sum2 = vec4<f32>();
      var sum3 = vec4<f32>();
      var sum4 = vec4<f32>();
      var sum5 = vec4<f32>();
      var sum6 = vec4<f32>();
      var sum7 = vec4<f32>();
      for (var k = 0u; k < length; k++) {
        let own0 = vectors[own + k];
        let own1 = vectors[own + length + k];
        let own2 = vectors[own + 2u * length + k];
        let own3 = vectors[own + 3u * length + k];
        let b0 = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
        let b1 = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
        let b2 = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
        let b3 = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
        sum0 += products4(vectors[other + 0u * length + k][lane], b0, b1, b2, b3);
        sum1 += products4(vectors[other + 1u * length + k][lane], b0, b1, b2, b3);
        sum2 += products4(vectors[other + 2u * length + k][lane], b0, b1, b2, b3);
        sum3 += products4(vectors[other + 3u * length + k][lane], b0, b1, b2, b3);
        sum4 += products4(vectors[other + 4u * length + k][lane], b0, b1, b2, b3);
        sum5 += products4(vectors[other + 5u * length + k][lane], b0, b1, b2, b3);
        sum6 += products4(vectors[other + 6u * length + k][lane], b0, b1, b2, b3);
        sum7 += products4(vectors[other + 7u * length + k][lane], b0, b1, b2, b3);
      }
      let sums = array<vec4<f32>, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
      for (var i = 0u; i < 8u; i++) {
        grams[place + 4u * (half + i)] = sums[i];
      }
    }
  }
}
