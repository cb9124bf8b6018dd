// Chosen rows of the attention pattern of one sequence, which attention.wgsl never stores:
//
//   pattern[j, i, s] = softmax over s ≤ t of scale · query[t, h] · key[s, h / group]      t = queries[i], h = heads[j]
//
// and 0 for the keys after t. With `normalised` false it gives the scaled scores, the lowest float32 for the keys after t;
// with `scored` false it takes the scores that stand in `pattern` already.
//
//   indices        U32: the queries' positions, then the heads
//   queryKeyValue  F32 [tokens, stride]; head h's query at h·queryStride, key head g's key at keyOffset + g·keyStride
//   pattern        F32 [heads, queries, tokens]
//
// One workgroup per row; each thread keeps to keys of its own, so that rows may lie in storage. The grid is (queries, heads).

struct Shape {
  queries: u32,
  tokens: u32,
  headWidth: u32,
  stride: u32,
  queryStride: u32,
  keyStride: u32,
  keyOffset: u32,
  // Query heads that share a key head.
  group: u32,
  scale: f32,
  // Where the sequence starts in the binding, in elements.
  firstElement: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> queryKeyValue: array<f32>;
@group(0) @binding(3) var<storage, read_write> pattern: array<f32>;

override scored: bool = true;
override normalised: bool = true;

const THREADS = 64u;
// Terms that are summed before their sum is added: many small numbers do not vanish beside a large one then.
const RUN = 32u;
const LOWEST = -3.4028234663852886e38;

var<workgroup> partial: array<f32, THREADS>;

fn score(query: u32, key: u32) -> f32 {
  var total = 0.0;
  for (var start = 0u; start < shape.headWidth; start += RUN) {
    let end = min(start + RUN, shape.headWidth);
    var sum = 0.0;
    for (var d = start; d < end; d++) {
      sum = fma(queryKeyValue[query + d], queryKeyValue[key + d], sum);
    }
    total += sum;
  }
  return total * shape.scale;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let position = indices[workgroup.x];
  let head = indices[shape.queries + workgroup.y];
  let query = shape.firstElement + position * shape.stride + head * shape.queryStride;
  let keys = shape.firstElement + shape.keyOffset + (head / shape.group) * shape.keyStride;
  let row = (workgroup.y * shape.queries + workgroup.x) * shape.tokens;

  var highest = LOWEST;
  for (var key = thread; key < shape.tokens; key += THREADS) {
    var value = LOWEST;
    if (key <= position) {
      value = pattern[row + key];
      if (scored) {
        value = score(query, keys + key * shape.stride);
      }
    }
    pattern[row + key] = value;
    highest = max(highest, value);
  }
  if (!normalised) {
    return;
  }
  partial[thread] = highest;
  workgroupBarrier();
  for (var i = 0u; i < THREADS; i++) {
    highest = max(highest, partial[i]);
  }
  workgroupBarrier();

  var sum = 0.0;
  for (var key = thread; key < shape.tokens; key += THREADS) {
    var weight = 0.0;
    if (key <= position) {
      weight = exp(pattern[row + key] - highest);
    }
    pattern[row + key] = weight;
    sum += weight;
  }
  partial[thread] = sum;
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < THREADS; i++) {
    total += partial[i];
  }
  for (var key = thread; key < shape.tokens; key += THREADS) {
    pattern[row + key] = pattern[row + key] / total;
  }
}
