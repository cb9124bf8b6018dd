// Causal attention of one head for hardware GPUs. It computes what attention.wgsl does, with the same operands:
//
//   output[t, head] = Σ_{s ≤ t} softmax_s(scale · query[t]·key[s]) · value[s]
//
// A workgroup of 256 threads takes 64 queries of one head of one sequence and walks the keys 32 at a time. It keeps each
// query's running maximum and sum (online softmax: Milakov and Gimelshein 2018; tiled as in Dao et al. 2022). Those of a
// query are kept by four threads, so that all take part in the softmax. Masked scores never enter: they are cut off by
// index. The grid is (query tiles, heads, sequences); the tiles with the most keys come first.
//
// Scores: a thread makes 4 queries × 2 keys, from `depth` dimensions of the head at a time. Values: it gathers 4 queries ×
// every 16th dimension, from 32 dimensions at a time, in named registers: heads of up to 256 dimensions.
//
// Queries and keys keep four dimensions as a vec4, values and weights four keys, so that a load brings four operands.
// Places are turned by exclusive or, so that neighbouring threads use different banks: dimensions 4q … of row r stand at
// r xor 2q; the keys 4k … of query r's weights at k xor 4 where r is odd.

struct Shape {
  tokens: u32,
  heads: u32,
  stride: u32,
  headStride: u32,
  keyOffset: u32,
  valueOffset: u32,
  scale: f32,
  // Where the first sequence starts in each binding, in elements.
  firstInput: u32,
  firstOutput: u32,
  // Query heads that share one head of keys and values.
  groupSize: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> queryKeyValue: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

override headWidth: u32 = 64u;
// Dimensions of queries and keys in workgroup memory at once: a multiple of 16. 16 fits 16 KiB, 32 fits 21 KiB.
override depth: u32 = 16u;

const THREADS = 256u;
const QUERIES = 64u;
const KEYS = 32u;
// Dimensions of the values in workgroup memory at once.
const WIDTH = 32u;
const LOWEST = -3.4028234663852886e38;
override slices: u32 = (headWidth + 15u) / 16u;

// Queries and keys [depth / 4][row], or values [KEYS / 4][WIDTH].
var<workgroup> queryTile: array<vec4<f32>, QUERIES * depth / 4u>;
var<workgroup> keyTile: array<vec4<f32>, KEYS * depth / 4u>;
var<workgroup> weights: array<vec4<f32>, QUERIES * KEYS / 4u>;
// What each four threads of a query found; then what its old sums shrink by, or their sum in the end.
var<workgroup> partial: array<f32, THREADS>;
var<workgroup> ofQuery: array<f32, QUERIES>;

fn weightPlace(query: u32, four: u32) -> u32 {
  return query * (KEYS / 4u) + (four ^ (4u * (query & 1u)));
}

// A tile of values stands where the queries do.
fn stageValues(first: u32, start: u32, keys: u32, thread: u32) {
  workgroupBarrier();
  let dimension = start + thread % WIDTH;
  let key = 4u * (thread / WIDTH);
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) {
    if (key + i < keys && dimension < headWidth) {
      four[i] = queryKeyValue[first + (key + i) * shape.stride + dimension];
    }
  }
  queryTile[thread] = four;
  workgroupBarrier();
}

// The weighted values of 4 queries in one dimension of the tile.
fn weigh(row: u32, lane: u32) -> vec4<f32> {
  var sum = vec4<f32>();
  for (var four = 0u; four < KEYS / 4u; four++) {
    let values = queryTile[four * WIDTH + lane];
    sum += vec4(
      dot(weights[weightPlace(row, four)], values),
      dot(weights[weightPlace(row + 16u, four)], values),
      dot(weights[weightPlace(row + 32u, four)], values),
      dot(weights[weightPlace(row + 48u, four)], values),
    );
  }
  return sum;
}

fn store(sequence: u32, head: u32, query: u32, dimension: u32, four: vec4<f32>) {
  for (var i = 0u; i < 4u; i++) {
    let token = query + 16u * i;
    if (token < shape.tokens && dimension < headWidth) {
      let row = sequence * shape.tokens + token;
      output[shape.firstOutput + (row * shape.heads + head) * headWidth + dimension] = four[i];
    }
  }
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let firstQuery = (grid.x - 1u - workgroup.x) * QUERIES;
  let sequence = shape.firstInput + workgroup.z * shape.tokens * shape.stride;
  let head = sequence + workgroup.y * shape.headStride;
  let keyHead = sequence + (workgroup.y / shape.groupSize) * shape.headStride;
  // The thread's queries are row, row + 16, row + 32 and row + 48; its keys lane and lane + 16.
  let lane = thread % 16u;
  let row = thread / 16u;
  // In the softmax four threads share a query: each takes its fours of keys `part` and `part + 4`.
  let mine = thread / 4u;
  let part = thread % 4u;
  var maximum = LOWEST;
  var total = 0.0;

  var gathered0 = vec4<f32>();
  var gathered1 = vec4<f32>();
  var gathered2 = vec4<f32>();
  var gathered3 = vec4<f32>();
  var gathered4 = vec4<f32>();
  var gathered5 = vec4<f32>();
  var gathered6 = vec4<f32>();
  var gathered7 = vec4<f32>();
  var gathered8 = vec4<f32>();
  var gathered9 = vec4<f32>();
  var gathered10 = vec4<f32>();
  var gathered11 = vec4<f32>();
  var gathered12 = vec4<f32>();
  var gathered13 = vec4<f32>();
  var gathered14 = vec4<f32>();
  var gathered15 = vec4<f32>();

  let lastKey = min(firstQuery + QUERIES, shape.tokens);
  for (var firstKey = 0u; firstKey < lastKey; firstKey += KEYS) {
    var near = vec4<f32>();
    var far = vec4<f32>();
    for (var start = 0u; start < headWidth; start += depth) {
      workgroupBarrier();
      // Neighbouring threads read neighbouring dimensions.
      for (var at = thread; at < QUERIES * depth; at += THREADS) {
        let token = firstQuery + at / depth;
        let d = at % depth;
        var value = 0.0;
        if (token < shape.tokens && start + d < headWidth) {
          value = queryKeyValue[head + token * shape.stride + start + d];
        }
        queryTile[(d / 4u) * QUERIES + ((at / depth) ^ ((d / 2u) & 6u))][d % 4u] = value;
      }
      for (var at = thread; at < KEYS * depth; at += THREADS) {
        let token = firstKey + at / depth;
        let d = at % depth;
        var value = 0.0;
        if (token < lastKey && start + d < headWidth) {
          value = queryKeyValue[keyHead + shape.keyOffset + token * shape.stride + start + d];
        }
        keyTile[(d / 4u) * KEYS + ((at / depth) ^ ((d / 2u) & 6u))][d % 4u] = value;
      }
      workgroupBarrier();
      var nearSlice = vec4<f32>();
      var farSlice = vec4<f32>();
      for (var q = 0u; q < depth / 4u; q++) {
        let turn = (2u * q) & 6u;
        let query = q * QUERIES + (row ^ turn);
        let key = q * KEYS + (lane ^ turn);
        let a = queryTile[query];
        let b = queryTile[query + 16u];
        let c = queryTile[query + 32u];
        let d = queryTile[query + 48u];
        let nearKey = keyTile[key];
        let farKey = keyTile[key + 16u];
        nearSlice += vec4(dot(a, nearKey), dot(b, nearKey), dot(c, nearKey), dot(d, nearKey));
        farSlice += vec4(dot(a, farKey), dot(b, farKey), dot(c, farKey), dot(d, farKey));
      }
      near += nearSlice;
      far += farSlice;
    }
    for (var i = 0u; i < 4u; i++) {
      weights[weightPlace(row + 16u * i, lane / 4u)][lane % 4u] = near[i] * shape.scale;
      weights[weightPlace(row + 16u * i, lane / 4u + 4u)][lane % 4u] = far[i] * shape.scale;
    }
    workgroupBarrier();

    // Keys that the query of this thread sees.
    let query = firstQuery + mine;
    let keys = select(0u, min(KEYS, query + 1u - firstKey), query >= firstKey && query < shape.tokens);
    let low = weights[weightPlace(mine, part)];
    let high = weights[weightPlace(mine, part + 4u)];
    var largest = maximum;
    for (var i = 0u; i < 4u; i++) {
      if (4u * part + i < keys) {
        largest = max(largest, low[i]);
      }
      if (4u * part + 16u + i < keys) {
        largest = max(largest, high[i]);
      }
    }
    partial[thread] = largest;
    workgroupBarrier();
    largest = max(
      max(partial[4u * mine], partial[4u * mine + 1u]),
      max(partial[4u * mine + 2u], partial[4u * mine + 3u]),
    );
    var lowWeights = vec4<f32>();
    var highWeights = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
      if (4u * part + i < keys) {
        lowWeights[i] = exp(low[i] - largest);
      }
      if (4u * part + 16u + i < keys) {
        highWeights[i] = exp(high[i] - largest);
      }
    }
    weights[weightPlace(mine, part)] = lowWeights;
    weights[weightPlace(mine, part + 4u)] = highWeights;
    var shrink = 1.0;
    if (largest > maximum) {
      shrink = select(exp(maximum - largest), 0.0, maximum == LOWEST);
    }
    total = total * shrink + dot(lowWeights + highWeights, vec4(1.0));
    maximum = largest;
    if (part == 0u) {
      ofQuery[mine] = shrink;
    }
    workgroupBarrier();

    let shrinks = vec4(ofQuery[row], ofQuery[row + 16u], ofQuery[row + 32u], ofQuery[row + 48u]);
    let values = keyHead + shape.valueOffset + firstKey * shape.stride;
    let seen = min(KEYS, lastKey - firstKey);
    stageValues(values, 0u, seen, thread);
    gathered0 = gathered0 * shrinks + weigh(row, lane);
    gathered1 = gathered1 * shrinks + weigh(row, lane + 16u);
    if (slices > 2u) {
      stageValues(values, 32u, seen, thread);
      gathered2 = gathered2 * shrinks + weigh(row, lane);
      gathered3 = gathered3 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 4u) {
      stageValues(values, 64u, seen, thread);
      gathered4 = gathered4 * shrinks + weigh(row, lane);
      gathered5 = gathered5 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 6u) {
      stageValues(values, 96u, seen, thread);
      gathered6 = gathered6 * shrinks + weigh(row, lane);
      gathered7 = gathered7 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 8u) {
      stageValues(values, 128u, seen, thread);
      gathered8 = gathered8 * shrinks + weigh(row, lane);
      gathered9 = gathered9 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 10u) {
      stageValues(values, 160u, seen, thread);
      gathered10 = gathered10 * shrinks + weigh(row, lane);
      gathered11 = gathered11 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 12u) {
      stageValues(values, 192u, seen, thread);
      gathered12 = gathered12 * shrinks + weigh(row, lane);
      gathered13 = gathered13 * shrinks + weigh(row, lane + 16u);
    }
    if (slices > 14u) {
      stageValues(values, 224u, seen, thread);
      gathered14 = gathered14 * shrinks + weigh(row, lane);
      gathered15 = gathered15 * shrinks + weigh(row, lane + 16u);
    }
  }

  workgroupBarrier();
  partial[thread] = total;
  workgroupBarrier();
  if (thread < QUERIES) {
    ofQuery[thread] =
      (partial[4u * thread] + partial[4u * thread + 1u]) + (partial[4u * thread + 2u] + partial[4u * thread + 3u]);
  }
  workgroupBarrier();
  let sums = vec4(ofQuery[row], ofQuery[row + 16u], ofQuery[row + 32u], ofQuery[row + 48u]);
  let query = firstQuery + row;
  store(workgroup.z, workgroup.y, query, lane, gathered0 / sums);
  store(workgroup.z, workgroup.y, query, lane + 16u, gathered1 / sums);
  store(workgroup.z, workgroup.y, query, lane + 32u, gathered2 / sums);
  store(workgroup.z, workgroup.y, query, lane + 48u, gathered3 / sums);
  if (slices > 4u) {
    store(workgroup.z, workgroup.y, query, lane + 64u, gathered4 / sums);
    store(workgroup.z, workgroup.y, query, lane + 80u, gathered5 / sums);
    store(workgroup.z, workgroup.y, query, lane + 96u, gathered6 / sums);
    store(workgroup.z, workgroup.y, query, lane + 112u, gathered7 / sums);
  }
  if (slices > 8u) {
    store(workgroup.z, workgroup.y, query, lane + 128u, gathered8 / sums);
    store(workgroup.z, workgroup.y, query, lane + 144u, gathered9 / sums);
    store(workgroup.z, workgroup.y, query, lane + 160u, gathered10 / sums);
    store(workgroup.z, workgroup.y, query, lane + 176u, gathered11 / sums);
  }
  if (slices > 12u) {
    store(workgroup.z, workgroup.y, query, lane + 192u, gathered12 / sums);
    store(workgroup.z, workgroup.y, query, lane + 208u, gathered13 / sums);
    store(workgroup.z, workgroup.y, query, lane + 224u, gathered14 / sums);
    store(workgroup.z, workgroup.y, query, lane + 240u, gathered15 / sums);
  }
}
