// Rotary position embedding in place, in the rotate-half form (Su et al. 2021; GPT-NeoX pairs dimension i with
// i + dimensions/2, not with its neighbour): of every query and key head,
//
//   (a, b) ← (a·cos − b·sin, b·cos + a·sin)      a = head[i], b = head[i + half], angle = position · frequency[i]
//
//   queryKeyValue  F32 [positions from firstPosition, stride] of one sequence, query h at h·headStride, key h keyOffset after that; keys
//                  may be fewer than queries
//   cosines, sines F32 [positions, half], made on the host: WGSL's sin and cos lose large angles
//
// One thread per pair; the grid is (pairs of all queries, then keys / 64, positions).

struct Shape {
  stride: u32,
  heads: u32,
  headStride: u32,
  keyOffset: u32,
  half: u32,
  // Where the first of the positions starts in the binding, in elements.
  firstElement: u32,
  keyHeads: u32,
  firstPosition: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> cosines: array<f32>;
@group(0) @binding(2) var<storage, read> sines: array<f32>;
@group(0) @binding(3) var<storage, read_write> queryKeyValue: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let pair = global.x % shape.half;
  let head = global.x / shape.half;
  let position = global.y;
  if (head >= shape.heads + shape.keyHeads) {
    return;
  }
  let angle = (shape.firstPosition + position) * shape.half + pair;
  let isKey = head >= shape.heads;
  let start = select(head * shape.headStride, (head - shape.heads) * shape.headStride + shape.keyOffset, isKey);
  let at = shape.firstElement + position * shape.stride + start + pair;
  let a = queryKeyValue[at];
  let b = queryKeyValue[at + shape.half];
  queryKeyValue[at] = a * cosines[angle] - b * sines[angle];
  queryKeyValue[at + shape.half] = b * cosines[angle] + a * sines[angle];
}
