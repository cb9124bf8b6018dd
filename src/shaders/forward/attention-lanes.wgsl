// Causal attention of one head (see attention.wgsl) where a CPU plays the GPU with subgroups of four lanes:
//
//   output[t, head] = Σ_{s ≤ t} softmax_s(scale · query[t]·key[s]) · value[s]
//
//   queryKeyValue  F32 [sequences · tokens, stride]; head h's query at h·headStride; its key and value at their
//                  offsets from ⌊h / groupSize⌋·headStride
//   output         F32 [sequences · tokens, heads · headWidth]
//
// A workgroup is one subgroup and takes 8 queries of one head. It walks the keys 16 at a time, four per lane, with a
// running maximum and sum as in attention.wgsl. Of each query every lane loads one of four neighbouring elements and
// hands it to the others: a load costs such an adapter more than the sums that it feeds. It uses no barriers, and only
// registers. They hold the weighted values of up to 64 dimensions. A wider head repeats the walk for each slice of its
// width. The grid is (query tiles, heads, sequences).

enable subgroups;

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

const LANES = 4u;
const QUERIES = 8u;
const KEYS = 16u;
// A lane takes four dimensions of each group of 16; a walk takes up to four groups.
const GROUP = 16u;
override slices: u32 = (headWidth + 63u) / 64u;
override groups: u32 = (headWidth + slices * GROUP - 1u) / (slices * GROUP);
const LOWEST = -3.4028234663852886e38;

// A query on its way through the keys: the sums of this tile's scores, and those of all tiles before.
struct Running {
  weights: vec4<f32>,
  maximum: f32,
  sum: f32,
  // The factor by which the sums of earlier tiles shrink.
  shrink: f32,
}

// Takes a tile's scores, four per lane, into a query's maximum and sum. Keys beyond `last` are cut off by index, so that
// real scores of −1e5 and below stay what they are.
fn take(before: Running, scores: vec4<f32>, keys: vec4<u32>, last: u32, scale: f32) -> Running {
  let isSeen = keys <= vec4(last);
  let scaled = select(vec4(LOWEST), scores * scale, isSeen);
  let highest = subgroupMax(max(max(scaled.x, scaled.y), max(scaled.z, scaled.w)));
  let maximum = max(before.maximum, highest);
  let shrink = select(exp(before.maximum - maximum), 0.0, before.maximum == LOWEST);
  let weights = select(vec4<f32>(), exp(scaled - maximum), isSeen);
  let sum = before.sum * shrink + subgroupAdd(weights.x + weights.y + weights.z + weights.w);
  return Running(weights, maximum, sum, shrink);
}

fn fourAt(at: vec4<u32>) -> vec4<f32> {
  return vec4(queryKeyValue[at.x], queryKeyValue[at.y], queryKeyValue[at.z], queryKeyValue[at.w]);
}

// Beyond the head's width, dimensions repeat the last one; their results are never stored.
fn inHead(dimensions: vec4<u32>) -> vec4<u32> {
  return min(dimensions, vec4(headWidth - 1u));
}

// The same for what is multiplied: there the query is zero.
fn scoredDimension(d: u32) -> u32 {
  if (headWidth % LANES == 0u) {
    return d;
  }
  return min(d, headWidth - 1u);
}

fn queryAt(at: u32, d: u32) -> f32 {
  let value = queryKeyValue[at];
  if (headWidth % LANES == 0u) {
    return value;
  }
  return select(0.0, value, d < headWidth);
}

// Four dimensions of each group; those of groups that the head has not stay zero, and cost nothing.
struct Sums {
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
}

fn addProduct(sums: Sums, weight: f32, values: Sums) -> Sums {
  var result = sums;
  result.a = fma(vec4(weight), values.a, sums.a);
  if (groups > 1u) {
    result.b = fma(vec4(weight), values.b, sums.b);
  }
  if (groups > 2u) {
    result.c = fma(vec4(weight), values.c, sums.c);
  }
  if (groups > 3u) {
    result.d = fma(vec4(weight), values.d, sums.d);
  }
  return result;
}

// Where the first value's dimensions stand, and what stands there for another.
struct Starts {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

fn valuesOf(starts: Starts, offset: u32) -> Sums {
  var result = Sums();
  result.a = fourAt(starts.a + offset);
  if (groups > 1u) {
    result.b = fourAt(starts.b + offset);
  }
  if (groups > 2u) {
    result.c = fourAt(starts.c + offset);
  }
  if (groups > 3u) {
    result.d = fourAt(starts.d + offset);
  }
  return result;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let firstQuery = workgroup.x * QUERIES;
  let lastToken = shape.tokens - 1u;
  let lastKey = min(firstQuery + QUERIES, shape.tokens);
  let stride = shape.stride;
  let scale = shape.scale;
  let sequence = shape.firstInput + workgroup.z * shape.tokens * stride;
  let head = sequence + workgroup.y * shape.headStride;
  let keyHead = sequence + (workgroup.y / shape.groupSize) * shape.headStride;
  let firstValue = keyHead + shape.valueOffset;
  let offsets = vec4(0u, 1u, 2u, 3u);
  let last0 = min(firstQuery + 0u, lastToken);
  let row0 = last0 * stride;
  let last1 = min(firstQuery + 1u, lastToken);
  let row1 = last1 * stride;
  let last2 = min(firstQuery + 2u, lastToken);
  let row2 = last2 * stride;
  let last3 = min(firstQuery + 3u, lastToken);
  let row3 = last3 * stride;
  let last4 = min(firstQuery + 4u, lastToken);
  let row4 = last4 * stride;
  let last5 = min(firstQuery + 5u, lastToken);
  let row5 = last5 * stride;
  let last6 = min(firstQuery + 6u, lastToken);
  let row6 = last6 * stride;
  let last7 = min(firstQuery + 7u, lastToken);
  let row7 = last7 * stride;

  for (var slice = 0u; slice < slices; slice++) {
    let firstDimension = slice * groups * GROUP;
    let dimensions = firstDimension + LANES * lane + offsets;
    let values = Starts(
      firstValue + inHead(dimensions),
      firstValue + inHead(dimensions + GROUP),
      firstValue + inHead(dimensions + 2u * GROUP),
      firstValue + inHead(dimensions + 3u * GROUP),
    );
    var running: array<Running, QUERIES>;
    for (var query = 0u; query < QUERIES; query++) {
      running[query] = Running(vec4<f32>(), LOWEST, 0.0, 0.0);
    }
    var total0 = Sums();
    var total1 = Sums();
    var total2 = Sums();
    var total3 = Sums();
    var total4 = Sums();
    var total5 = Sums();
    var total6 = Sums();
    var total7 = Sums();
    for (var firstKey = 0u; firstKey < lastKey; firstKey += KEYS) {
      let keys = firstKey + LANES * lane + offsets;
      let keyStarts = keyHead + shape.keyOffset + min(keys, vec4(lastToken)) * stride;
      var scores0 = vec4<f32>();
      var scores1 = vec4<f32>();
      var scores2 = vec4<f32>();
      var scores3 = vec4<f32>();
      var scores4 = vec4<f32>();
      var scores5 = vec4<f32>();
      var scores6 = vec4<f32>();
      var scores7 = vec4<f32>();
      for (var d = 0u; d < headWidth; d += LANES) {
        let at = head + scoredDimension(d + lane);
        let query0 = queryAt(at + row0, d + lane);
        let query1 = queryAt(at + row1, d + lane);
        let query2 = queryAt(at + row2, d + lane);
        let query3 = queryAt(at + row3, d + lane);
        let query4 = queryAt(at + row4, d + lane);
        let query5 = queryAt(at + row5, d + lane);
        let query6 = queryAt(at + row6, d + lane);
        let query7 = queryAt(at + row7, d + lane);
        {
          let four = fourAt(keyStarts + scoredDimension(d + 0u));
          scores0 = fma(vec4(subgroupBroadcast(query0, 0u)), four, scores0);
          scores1 = fma(vec4(subgroupBroadcast(query1, 0u)), four, scores1);
          scores2 = fma(vec4(subgroupBroadcast(query2, 0u)), four, scores2);
          scores3 = fma(vec4(subgroupBroadcast(query3, 0u)), four, scores3);
          scores4 = fma(vec4(subgroupBroadcast(query4, 0u)), four, scores4);
          scores5 = fma(vec4(subgroupBroadcast(query5, 0u)), four, scores5);
          scores6 = fma(vec4(subgroupBroadcast(query6, 0u)), four, scores6);
          scores7 = fma(vec4(subgroupBroadcast(query7, 0u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 1u));
          scores0 = fma(vec4(subgroupBroadcast(query0, 1u)), four, scores0);
          scores1 = fma(vec4(subgroupBroadcast(query1, 1u)), four, scores1);
          scores2 = fma(vec4(subgroupBroadcast(query2, 1u)), four, scores2);
          scores3 = fma(vec4(subgroupBroadcast(query3, 1u)), four, scores3);
          scores4 = fma(vec4(subgroupBroadcast(query4, 1u)), four, scores4);
          scores5 = fma(vec4(subgroupBroadcast(query5, 1u)), four, scores5);
          scores6 = fma(vec4(subgroupBroadcast(query6, 1u)), four, scores6);
          scores7 = fma(vec4(subgroupBroadcast(query7, 1u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 2u));
          scores0 = fma(vec4(subgroupBroadcast(query0, 2u)), four, scores0);
          scores1 = fma(vec4(subgroupBroadcast(query1, 2u)), four, scores1);
          scores2 = fma(vec4(subgroupBroadcast(query2, 2u)), four, scores2);
          scores3 = fma(vec4(subgroupBroadcast(query3, 2u)), four, scores3);
          scores4 = fma(vec4(subgroupBroadcast(query4, 2u)), four, scores4);
          scores5 = fma(vec4(subgroupBroadcast(query5, 2u)), four, scores5);
          scores6 = fma(vec4(subgroupBroadcast(query6, 2u)), four, scores6);
          scores7 = fma(vec4(subgroupBroadcast(query7, 2u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 3u));
          scores0 = fma(vec4(subgroupBroadcast(query0, 3u)), four, scores0);
          scores1 = fma(vec4(subgroupBroadcast(query1, 3u)), four, scores1);
          scores2 = fma(vec4(subgroupBroadcast(query2, 3u)), four, scores2);
          scores3 = fma(vec4(subgroupBroadcast(query3, 3u)), four, scores3);
          scores4 = fma(vec4(subgroupBroadcast(query4, 3u)), four, scores4);
          scores5 = fma(vec4(subgroupBroadcast(query5, 3u)), four, scores5);
          scores6 = fma(vec4(subgroupBroadcast(query6, 3u)), four, scores6);
          scores7 = fma(vec4(subgroupBroadcast(query7, 3u)), four, scores7);
        }
      }
      // A loop here, too, for the same reason as below.
      let scores = array<vec4<f32>, QUERIES>(
        scores0, scores1, scores2, scores3, scores4, scores5, scores6, scores7,
      );
      for (var query = 0u; query < QUERIES; query++) {
        let last = min(firstQuery + query, lastToken);
        running[query] = take(running[query], scores[query], keys, last, scale);
      }

      var sums0 = Sums();
      var sums1 = Sums();
      var sums2 = Sums();
      var sums3 = Sums();
      var sums4 = Sums();
      var sums5 = Sums();
      var sums6 = Sums();
      var sums7 = Sums();
      // Two keys at a time, those of one lane after another's.
      for (var pair = 0u; pair < 2u * LANES; pair++) {
        let firstKeyOfPair = firstKey + 2u * pair;
        let owner = pair / 2u;
        let isSecond = pair % 2u == 1u;
        let weights0 = subgroupShuffle(select(running[0].weights.xy, running[0].weights.zw, isSecond), owner);
        let weights1 = subgroupShuffle(select(running[1].weights.xy, running[1].weights.zw, isSecond), owner);
        let weights2 = subgroupShuffle(select(running[2].weights.xy, running[2].weights.zw, isSecond), owner);
        let weights3 = subgroupShuffle(select(running[3].weights.xy, running[3].weights.zw, isSecond), owner);
        let weights4 = subgroupShuffle(select(running[4].weights.xy, running[4].weights.zw, isSecond), owner);
        let weights5 = subgroupShuffle(select(running[5].weights.xy, running[5].weights.zw, isSecond), owner);
        let weights6 = subgroupShuffle(select(running[6].weights.xy, running[6].weights.zw, isSecond), owner);
        let weights7 = subgroupShuffle(select(running[7].weights.xy, running[7].weights.zw, isSecond), owner);
        {
          let value = valuesOf(values, min(firstKeyOfPair + 0u, lastToken) * stride);
          sums0 = addProduct(sums0, weights0.x, value);
          sums1 = addProduct(sums1, weights1.x, value);
          sums2 = addProduct(sums2, weights2.x, value);
          sums3 = addProduct(sums3, weights3.x, value);
          sums4 = addProduct(sums4, weights4.x, value);
          sums5 = addProduct(sums5, weights5.x, value);
          sums6 = addProduct(sums6, weights6.x, value);
          sums7 = addProduct(sums7, weights7.x, value);
        }
        {
          let value = valuesOf(values, min(firstKeyOfPair + 1u, lastToken) * stride);
          sums0 = addProduct(sums0, weights0.y, value);
          sums1 = addProduct(sums1, weights1.y, value);
          sums2 = addProduct(sums2, weights2.y, value);
          sums3 = addProduct(sums3, weights3.y, value);
          sums4 = addProduct(sums4, weights4.y, value);
          sums5 = addProduct(sums5, weights5.y, value);
          sums6 = addProduct(sums6, weights6.y, value);
          sums7 = addProduct(sums7, weights7.y, value);
        }
      }
      total0 = addProduct(sums0, running[0].shrink, total0);
      total1 = addProduct(sums1, running[1].shrink, total1);
      total2 = addProduct(sums2, running[2].shrink, total2);
      total3 = addProduct(sums3, running[3].shrink, total3);
      total4 = addProduct(sums4, running[4].shrink, total4);
      total5 = addProduct(sums5, running[5].shrink, total5);
      total6 = addProduct(sums6, running[6].shrink, total6);
      total7 = addProduct(sums7, running[7].shrink, total7);
    }

    // A loop, because one copy per query would take longer to compile than everything else.
    let totals = array<Sums, QUERIES>(
      total0,
      total1,
      total2,
      total3,
      total4,
      total5,
      total6,
      total7,
    );
    for (var query = 0u; query < min(QUERIES, shape.tokens - firstQuery); query++) {
      let row = (workgroup.z * shape.tokens + firstQuery + query) * shape.heads + workgroup.y;
      let start = shape.firstOutput + row * headWidth;
      let total = totals[query];
      let four = array<vec4<f32>, 4>(total.a, total.b, total.c, total.d);
      for (var i = 0u; i < LANES * groups; i++) {
        let dimension = firstDimension + (i / LANES) * GROUP + LANES * lane + i % LANES;
        if (dimension < headWidth) {
          output[start + dimension] = four[i / LANES][i % LANES] / running[query].sum;
        }
      }
    }
  }
}
