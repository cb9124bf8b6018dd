// What attention gathers by a pattern that was changed, for chosen queries and heads of one sequence:
//
//   output[t, h, d] = Σ_s pattern[j, i, s] · value[s, h / group, d]      over all keys s
//
//   indices        U32: for each query (i, unused, t), then for each head (j, h)
//   pattern        F32 [heads of the piece, pieceQueries, tokens]
//   queryKeyValue  F32 [tokens, stride]; value head g at valueOffset + g·valueStride
//   output         F32 [tokens, outputStride], head h at h·headWidth
//
// One thread per element of the output; the grid is (elements of the chosen heads / 64, chosen queries).

struct Shape {
  queries: u32,
  heads: u32,
  pieceQueries: u32,
  tokens: u32,
  headWidth: u32,
  stride: u32,
  valueStride: u32,
  valueOffset: u32,
  // Query heads that share a value head.
  group: u32,
  outputStride: u32,
  // Where the sequence starts in each binding, in elements.
  firstInput: u32,
  firstOutput: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> pattern: array<f32>;
@group(0) @binding(3) var<storage, read> queryKeyValue: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

const RUN = 64u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let chosen = global.x / shape.headWidth;
  let dimension = global.x % shape.headWidth;
  if (chosen >= shape.heads) {
    return;
  }
  let pair = 3u * shape.queries + 2u * chosen;
  let head = indices[pair + 1u];
  let row = (indices[pair] * shape.pieceQueries + indices[3u * global.y]) * shape.tokens;
  let value = shape.firstInput + shape.valueOffset + (head / shape.group) * shape.valueStride + dimension;
  var total = 0.0;
  for (var start = 0u; start < shape.tokens; start += RUN) {
    let end = min(start + RUN, shape.tokens);
    var sum = 0.0;
    for (var key = start; key < end; key++) {
      sum = fma(pattern[row + key], queryKeyValue[value + key * shape.stride], sum);
    }
    total += sum;
  }
  let position = indices[3u * global.y + 2u];
  output[shape.firstOutput + position * shape.outputStride + head * shape.headWidth + dimension] = total;
}
