// Turns the vectors of paired blocks by the angles of jacobi-round-lanes-angles.wgsl: the last part of a Jacobi round (see
// jacobi-round.wgsl) where a CPU plays the GPU with subgroups of four lanes, or of eight.
//
//   steps     U32 [matrices, blocks / 2]: the steps of each pair of blocks: 0, 16 or, where all pairs were turned, 31
//   turns     F32 [matrices, blocks / 2, 31, 4, 8]: of each step and lane four sines and the tangents of half the angles
//   progress  U32 [matrices, 2]: converged, sweeps so far; a matrix that has converged is left alone
//   vectors   F32 [matrices, 16 · blocks, length]
//
// One workgroup per (pair, matrix), of `lanes` threads, a subgroup; the grid is (blocks / 2, matrices). A lane turns all 32
// vectors at four elements at a time. Vectors meet as the rows of the Gram matrix did. Includes snippets/block-pair.wgsl.

enable subgroups;
// All lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  blocks: u32, // an even number
  length4: u32,
  round: u32, // 0 .. blocks - 2
}

// Rotations of four pairs: their sines, and the tangents of half their angles.
struct Turn {
  sine: vec4<f32>,
  halfTangent: vec4<f32>,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> steps: array<u32>;
@group(0) @binding(2) var<storage, read> turns: array<Turn>;
@group(0) @binding(3) var<storage, read> progress: array<u32>;
@group(0) @binding(4) var<storage, read_write> vectors: array<vec4<f32>>;

// 4, or 8 where subgroups have as many: then each four of them hand their angles round.
override lanes: u32 = 4u;

// Turns two vectors; the first stays where it is, the second is returned.
fn turnVectors(first: ptr<function, vec4<f32>>, second: vec4<f32>, sine: f32, halfTangent: f32) -> vec4<f32> {
  let x = *first - halfTangent * second;
  let y = second + sine * x;
  *first = x - halfTangent * y;
  return y;
}

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.y;
  let pairNumber = matrix * (shape.blocks / 2u) + group.x;
  let count = steps[pairNumber];
  if (count == 0u || progress[2u * matrix] == 1u) {
    return;
  }
  let isFull = count > 16u;
  let length = shape.length4;
  let pair = blockPair(group.x);
  let firstBase = (matrix * shape.blocks + pair.first) * 16u * length;
  let otherBase = (matrix * shape.blocks + pair.other) * 16u * length;
  let firstTurn = 124u * pairNumber + lane % 4u;
  for (var chunk = 0u; chunk < length; chunk += lanes) {
    let k = chunk + lane;
    // Beyond the end a lane reads the last group again and does not write.
    let at = firstBase + min(k, length - 1u);
    let other = otherBase + min(k, length - 1u);
    var held: array<vec4<f32>, 32>;
    for (var i = 0u; i < 16u; i++) {
      held[i] = vectors[at + i * length];
      held[i + 16u] = vectors[other + i * length];
    }
    for (var step = 0u; step < count; step++) {
      let sine = turns[firstTurn + 4u * step].sine;
      let half = turns[firstTurn + 4u * step].halfTangent;
      let first = turnVectors(&held[0], held[16], subgroupBroadcast(sine.x, 0u), subgroupBroadcast(half.x, 0u));
      held[16] = turnVectors(&held[1], held[17], subgroupBroadcast(sine.y, 0u), subgroupBroadcast(half.y, 0u));
      held[17] = turnVectors(&held[2], held[18], subgroupBroadcast(sine.z, 0u), subgroupBroadcast(half.z, 0u));
      held[18] = turnVectors(&held[3], held[19], subgroupBroadcast(sine.w, 0u), subgroupBroadcast(half.w, 0u));
      held[19] = turnVectors(&held[4], held[20], subgroupBroadcast(sine.x, 1u), subgroupBroadcast(half.x, 1u));
      held[20] = turnVectors(&held[5], held[21], subgroupBroadcast(sine.y, 1u), subgroupBroadcast(half.y, 1u));
      held[21] = turnVectors(&held[6], held[22], subgroupBroadcast(sine.z, 1u), subgroupBroadcast(half.z, 1u));
      held[22] = turnVectors(&held[7], held[23], subgroupBroadcast(sine.w, 1u), subgroupBroadcast(half.w, 1u));
      held[23] = turnVectors(&held[8], held[24], subgroupBroadcast(sine.x, 2u), subgroupBroadcast(half.x, 2u));
      held[24] = turnVectors(&held[9], held[25], subgroupBroadcast(sine.y, 2u), subgroupBroadcast(half.y, 2u));
      held[25] = turnVectors(&held[10], held[26], subgroupBroadcast(sine.z, 2u), subgroupBroadcast(half.z, 2u));
      held[26] = turnVectors(&held[11], held[27], subgroupBroadcast(sine.w, 2u), subgroupBroadcast(half.w, 2u));
      held[27] = turnVectors(&held[12], held[28], subgroupBroadcast(sine.x, 3u), subgroupBroadcast(half.x, 3u));
      held[28] = turnVectors(&held[13], held[29], subgroupBroadcast(sine.y, 3u), subgroupBroadcast(half.y, 3u));
      held[29] = turnVectors(&held[14], held[30], subgroupBroadcast(sine.z, 3u), subgroupBroadcast(half.z, 3u));
      held[30] = turnVectors(&held[15], held[31], subgroupBroadcast(sine.w, 3u), subgroupBroadcast(half.w, 3u));
      held[31] = first;
      if (isFull) {
        let last = held[15];
        for (var i = 15u; i > 1u; i--) {
          held[i] = held[i - 1u];
        }
        held[1] = held[31];
        held[31] = last;
      }
    }
    if (k < length) {
      for (var i = 0u; i < 16u; i++) {
        vectors[at + i * length] = held[i];
        vectors[other + i * length] = held[i + 16u];
      }
    }
  }
}
