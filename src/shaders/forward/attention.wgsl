// Causal attention of one head, without ever storing the scores:
//
//   output[t, head] = Σ_{s ≤ t} softmax_s(scale · query[t]·key[s]) · value[s]
//
//   queryKeyValue  F32 [sequences · tokens, stride]; head h's query at h·headStride; its key and value at their
//                  offsets from ⌊h / groupSize⌋·headStride
//   output         F32 [sequences · tokens, heads · headWidth]
//
// A workgroup takes 16 queries of one head of one sequence and walks the keys 32 at a time. It keeps each query's running
// maximum and sum, and rescales the weighted values when the maximum grows (online softmax: Milakov and Gimelshein 2018;
// tiled as in Dao et al. 2022). Masked scores never enter: they are cut off by index, so that real
// scores of −1e5 and below stay what they are. The grid is (query tiles, heads, sequences).

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

const THREADS = 128u;
const QUERIES = 16u;
const KEYS = 32u;
// How much of the head's width is staged at once.
const DEPTH = 32u;
// Each thread scores 4 queries against one key, and gathers 4 queries' values for every 32nd dimension.
const ROWS = 4u;
const LOWEST = -3.4028234663852886e38;
override slices: u32 = (headWidth + KEYS - 1u) / KEYS;
// The maximum number of slices that one thread can hold: heads of up to 512 dimensions.
const MAX_SLICES = 16u;

var<workgroup> queryTile: array<f32, QUERIES * (DEPTH + 1u)>;
var<workgroup> keyTile: array<f32, KEYS * (DEPTH + 1u)>;
var<workgroup> weights: array<f32, QUERIES * KEYS>;
var<workgroup> rescale: array<f32, QUERIES>;
var<workgroup> runningMaximum: array<f32, QUERIES>;
var<workgroup> runningSum: array<f32, QUERIES>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let firstQuery = workgroup.x * QUERIES;
  let head = workgroup.y * shape.headStride;
  let keyHead = (workgroup.y / shape.groupSize) * shape.headStride;
  let sequence = shape.firstInput + workgroup.z * shape.tokens * shape.stride;
  let lane = thread % KEYS;
  let firstRow = (thread / KEYS) * ROWS;

  var gathered: array<vec4<f32>, MAX_SLICES>;
  if (thread < QUERIES) {
    runningMaximum[thread] = LOWEST;
    runningSum[thread] = 0.0;
  }

  let lastKey = min(firstQuery + QUERIES, shape.tokens);
  for (var firstKey = 0u; firstKey < lastKey; firstKey += KEYS) {
    // Scores of 16 queries and 32 keys, the head's width in slices.
    var scores = vec4<f32>();
    for (var start = 0u; start < headWidth; start += DEPTH) {
      workgroupBarrier();
      for (var at = thread; at < QUERIES * DEPTH; at += THREADS) {
        let token = firstQuery + at / DEPTH;
        let dimension = start + at % DEPTH;
        var value = 0.0;
        if (token < shape.tokens && dimension < headWidth) {
          value = queryKeyValue[sequence + token * shape.stride + head + dimension];
        }
        queryTile[(at / DEPTH) * (DEPTH + 1u) + at % DEPTH] = value;
      }
      for (var at = thread; at < KEYS * DEPTH; at += THREADS) {
        let token = firstKey + at / DEPTH;
        let dimension = start + at % DEPTH;
        var value = 0.0;
        if (token < shape.tokens && dimension < headWidth) {
          value = queryKeyValue[sequence + token * shape.stride + keyHead + shape.keyOffset + dimension];
        }
        keyTile[(at / DEPTH) * (DEPTH + 1u) + at % DEPTH] = value;
      }
      workgroupBarrier();
      var slice = vec4<f32>();
      for (var d = 0u; d < DEPTH; d++) {
        let q = firstRow * (DEPTH + 1u) + d;
        let queries = vec4(
          queryTile[q],
          queryTile[q + DEPTH + 1u],
          queryTile[q + 2u * (DEPTH + 1u)],
          queryTile[q + 3u * (DEPTH + 1u)],
        );
        slice = fma(queries, vec4(keyTile[lane * (DEPTH + 1u) + d]), slice);
      }
      scores += slice;
    }
    for (var i = 0u; i < ROWS; i++) {
      weights[(firstRow + i) * KEYS + lane] = scores[i] * shape.scale;
    }
    workgroupBarrier();

    // One thread per query: the new maximum, the weights under it, and what the old sums shrink by.
    if (thread < QUERIES) {
      let query = firstQuery + thread;
      let keys = select(0u, min(KEYS, query + 1u - firstKey), query >= firstKey && query < shape.tokens);
      var maximum = runningMaximum[thread];
      for (var key = 0u; key < keys; key++) {
        maximum = max(maximum, weights[thread * KEYS + key]);
      }
      var sum = 0.0;
      for (var key = 0u; key < KEYS; key++) {
        var weight = 0.0;
        if (key < keys) {
          weight = exp(weights[thread * KEYS + key] - maximum);
        }
        weights[thread * KEYS + key] = weight;
        sum += weight;
      }
      var shrink = 1.0;
      if (maximum > runningMaximum[thread]) {
        shrink = select(exp(runningMaximum[thread] - maximum), 0.0, runningMaximum[thread] == LOWEST);
      }
      rescale[thread] = shrink;
      runningMaximum[thread] = maximum;
      runningSum[thread] = runningSum[thread] * shrink + sum;
    }
    workgroupBarrier();

    let shrink = vec4(rescale[firstRow], rescale[firstRow + 1u], rescale[firstRow + 2u], rescale[firstRow + 3u]);
    let keys = min(KEYS, lastKey - firstKey);
    for (var slice = 0u; slice < slices; slice++) {
      let dimension = slice * KEYS + lane;
      if (dimension < headWidth) {
        var sum = vec4<f32>();
        let values = sequence + firstKey * shape.stride + keyHead + shape.valueOffset + dimension;
        for (var key = 0u; key < keys; key++) {
          let w = firstRow * KEYS + key;
          let four = vec4(weights[w], weights[w + KEYS], weights[w + 2u * KEYS], weights[w + 3u * KEYS]);
          sum = fma(four, vec4(queryKeyValue[values + key * shape.stride]), sum);
        }
        gathered[slice] = gathered[slice] * shrink + sum;
      }
    }
  }

  for (var slice = 0u; slice < slices; slice++) {
    let dimension = slice * KEYS + lane;
    for (var i = 0u; i < ROWS; i++) {
      let query = firstQuery + firstRow + i;
      if (query < shape.tokens && dimension < headWidth) {
        let row = workgroup.z * shape.tokens + query;
        let at = shape.firstOutput + (row * shape.heads + workgroup.y) * headWidth + dimension;
        output[at] = gathered[slice][i] / runningSum[firstRow + i];
      }
    }
  }
}
