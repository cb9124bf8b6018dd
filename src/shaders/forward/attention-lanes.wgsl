// Causal attention of one head (see attention.wgsl) where a CPU plays the GPU with subgroups of four lanes, or of eight:
//
//   output[t, head] = Σ_{s ≤ t} softmax_s(scale · query[t]·key[s]) · value[s]
//
//   queryKeyValue  F32 [sequences · tokens, stride]; head h's query at h·headStride; its key and value at their
//                  offsets from ⌊h / groupSize⌋·headStride
//   output         F32 [sequences · tokens, heads · headWidth]
//
// A workgroup is one subgroup, of `lanes` threads; each four of them take 8 queries of one head. They walk the keys 16 at a time, four
// per lane, with a running maximum and sum as in attention.wgsl. Of each query every lane loads one of four neighbouring
// elements and hands it to the others: a load costs such an adapter more than the sums that it feeds. It uses no barriers, and
// only registers. They hold the weighted values of up to 64 dimensions. A wider head repeats the walk for each slice of its
// width. The grid is (tiles of 2 · lanes queries, heads, sequences).

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
// 4, or 8 where subgroups have as many.
override lanes: u32 = 4u;

const LANES = 4u;
const QUERIES = 8u;
const KEYS = 16u;
// A lane takes four dimensions of each group of 16; a walk takes up to four groups.
const GROUP = 16u;
override slices: u32 = (headWidth + 63u) / 64u;
override groups: u32 = (headWidth + slices * GROUP - 1u) / (slices * GROUP);
const LOWEST = -3.4028234663852886e38;

// A tile's scores, four per lane, scaled. Keys beyond `last` are cut off by index, so that real scores of −1e5 and below stay
// what they are.
fn scaledScores(scores: vec4<f32>, keys: vec4<u32>, last: u32, scale: f32) -> vec4<f32> {
  return select(vec4(LOWEST), scores * scale, keys <= vec4(last));
}

// The largest of a query's scores: those of a tile and those before.
fn larger(before: f32, scores: vec4<f32>) -> f32 {
  var highest = max(max(scores.x, scores.y), max(scores.z, scores.w));
  highest = max(highest, quadSwapX(highest));
  return max(before, max(highest, quadSwapY(highest)));
}

fn sumOf(four: vec4<f32>) -> f32 {
  return four.x + four.y + four.z + four.w;
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

// Adds a tile's sums to those of the tiles before it, which shrink.
fn grow(total: ptr<function, array<vec4<f32>, 4>>, shrink: f32, sums: Sums) {
  (*total)[0] = fma((*total)[0], vec4(shrink), sums.a);
  if (groups > 1u) {
    (*total)[1] = fma((*total)[1], vec4(shrink), sums.b);
  }
  if (groups > 2u) {
    (*total)[2] = fma((*total)[2], vec4(shrink), sums.c);
  }
  if (groups > 3u) {
    (*total)[3] = fma((*total)[3], vec4(shrink), sums.d);
  }
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

@compute @workgroup_size(lanes)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) invocation: u32,
) {
  let lane = thread % LANES;
  // The first of the four lanes that take a query together.
  let firstLane = invocation - lane;
  // Fours without a query of their own repeat the last; all walk the same keys.
  let lastToken = shape.tokens - 1u;
  let firstQuery = (workgroup.x * (lanes / LANES) + thread / LANES) * QUERIES;
  let lastKey = min((workgroup.x + 1u) * (lanes / LANES) * QUERIES, shape.tokens);
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
    var maximum0 = LOWEST;
    var maximum1 = LOWEST;
    var maximum2 = LOWEST;
    var maximum3 = LOWEST;
    var maximum4 = LOWEST;
    var maximum5 = LOWEST;
    var maximum6 = LOWEST;
    var maximum7 = LOWEST;
    // A lane sums its own keys.
    var divisor0 = 0.0;
    var divisor1 = 0.0;
    var divisor2 = 0.0;
    var divisor3 = 0.0;
    var divisor4 = 0.0;
    var divisor5 = 0.0;
    var divisor6 = 0.0;
    var divisor7 = 0.0;
    var totals: array<array<vec4<f32>, 4>, QUERIES>;
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
          scores0 = fma(vec4(quadBroadcast(query0, 0u)), four, scores0);
          scores1 = fma(vec4(quadBroadcast(query1, 0u)), four, scores1);
          scores2 = fma(vec4(quadBroadcast(query2, 0u)), four, scores2);
          scores3 = fma(vec4(quadBroadcast(query3, 0u)), four, scores3);
          scores4 = fma(vec4(quadBroadcast(query4, 0u)), four, scores4);
          scores5 = fma(vec4(quadBroadcast(query5, 0u)), four, scores5);
          scores6 = fma(vec4(quadBroadcast(query6, 0u)), four, scores6);
          scores7 = fma(vec4(quadBroadcast(query7, 0u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 1u));
          scores0 = fma(vec4(quadBroadcast(query0, 1u)), four, scores0);
          scores1 = fma(vec4(quadBroadcast(query1, 1u)), four, scores1);
          scores2 = fma(vec4(quadBroadcast(query2, 1u)), four, scores2);
          scores3 = fma(vec4(quadBroadcast(query3, 1u)), four, scores3);
          scores4 = fma(vec4(quadBroadcast(query4, 1u)), four, scores4);
          scores5 = fma(vec4(quadBroadcast(query5, 1u)), four, scores5);
          scores6 = fma(vec4(quadBroadcast(query6, 1u)), four, scores6);
          scores7 = fma(vec4(quadBroadcast(query7, 1u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 2u));
          scores0 = fma(vec4(quadBroadcast(query0, 2u)), four, scores0);
          scores1 = fma(vec4(quadBroadcast(query1, 2u)), four, scores1);
          scores2 = fma(vec4(quadBroadcast(query2, 2u)), four, scores2);
          scores3 = fma(vec4(quadBroadcast(query3, 2u)), four, scores3);
          scores4 = fma(vec4(quadBroadcast(query4, 2u)), four, scores4);
          scores5 = fma(vec4(quadBroadcast(query5, 2u)), four, scores5);
          scores6 = fma(vec4(quadBroadcast(query6, 2u)), four, scores6);
          scores7 = fma(vec4(quadBroadcast(query7, 2u)), four, scores7);
        }
        {
          let four = fourAt(keyStarts + scoredDimension(d + 3u));
          scores0 = fma(vec4(quadBroadcast(query0, 3u)), four, scores0);
          scores1 = fma(vec4(quadBroadcast(query1, 3u)), four, scores1);
          scores2 = fma(vec4(quadBroadcast(query2, 3u)), four, scores2);
          scores3 = fma(vec4(quadBroadcast(query3, 3u)), four, scores3);
          scores4 = fma(vec4(quadBroadcast(query4, 3u)), four, scores4);
          scores5 = fma(vec4(quadBroadcast(query5, 3u)), four, scores5);
          scores6 = fma(vec4(quadBroadcast(query6, 3u)), four, scores6);
          scores7 = fma(vec4(quadBroadcast(query7, 3u)), four, scores7);
        }
      }
      scores0 = scaledScores(scores0, keys, last0, scale);
      scores1 = scaledScores(scores1, keys, last1, scale);
      scores2 = scaledScores(scores2, keys, last2, scale);
      scores3 = scaledScores(scores3, keys, last3, scale);
      scores4 = scaledScores(scores4, keys, last4, scale);
      scores5 = scaledScores(scores5, keys, last5, scale);
      scores6 = scaledScores(scores6, keys, last6, scale);
      scores7 = scaledScores(scores7, keys, last7, scale);
      let before0 = maximum0;
      maximum0 = larger(before0, scores0);
      let before1 = maximum1;
      maximum1 = larger(before1, scores1);
      let before2 = maximum2;
      maximum2 = larger(before2, scores2);
      let before3 = maximum3;
      maximum3 = larger(before3, scores3);
      let before4 = maximum4;
      maximum4 = larger(before4, scores4);
      let before5 = maximum5;
      maximum5 = larger(before5, scores5);
      let before6 = maximum6;
      maximum6 = larger(before6, scores6);
      let before7 = maximum7;
      maximum7 = larger(before7, scores7);
      // The weights of a tile's keys, and by how much the sums of earlier tiles shrink. A loop, because exponentials take long
      // to compile. Those below −200 are zero; max() would hide a NaN.
      var factors = array<vec4<f32>, QUERIES + 2u>(
        scores0 - maximum0,
        scores1 - maximum1,
        scores2 - maximum2,
        scores3 - maximum3,
        scores4 - maximum4,
        scores5 - maximum5,
        scores6 - maximum6,
        scores7 - maximum7,
        vec4(before0, before1, before2, before3) - vec4(maximum0, maximum1, maximum2, maximum3),
        vec4(before4, before5, before6, before7) - vec4(maximum4, maximum5, maximum6, maximum7),
      );
      for (var i = 0u; i < QUERIES + 2u; i++) {
        factors[i] = exp(select(factors[i], vec4(-200.0), factors[i] < vec4(-200.0)));
      }
      divisor0 = divisor0 * factors[8][0] + sumOf(factors[0]);
      divisor1 = divisor1 * factors[8][1] + sumOf(factors[1]);
      divisor2 = divisor2 * factors[8][2] + sumOf(factors[2]);
      divisor3 = divisor3 * factors[8][3] + sumOf(factors[3]);
      divisor4 = divisor4 * factors[9][0] + sumOf(factors[4]);
      divisor5 = divisor5 * factors[9][1] + sumOf(factors[5]);
      divisor6 = divisor6 * factors[9][2] + sumOf(factors[6]);
      divisor7 = divisor7 * factors[9][3] + sumOf(factors[7]);

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
        let owner = firstLane + pair / 2u;
        let isSecond = pair % 2u == 1u;
        let weights0 = subgroupShuffle(select(factors[0].xy, factors[0].zw, isSecond), owner);
        let weights1 = subgroupShuffle(select(factors[1].xy, factors[1].zw, isSecond), owner);
        let weights2 = subgroupShuffle(select(factors[2].xy, factors[2].zw, isSecond), owner);
        let weights3 = subgroupShuffle(select(factors[3].xy, factors[3].zw, isSecond), owner);
        let weights4 = subgroupShuffle(select(factors[4].xy, factors[4].zw, isSecond), owner);
        let weights5 = subgroupShuffle(select(factors[5].xy, factors[5].zw, isSecond), owner);
        let weights6 = subgroupShuffle(select(factors[6].xy, factors[6].zw, isSecond), owner);
        let weights7 = subgroupShuffle(select(factors[7].xy, factors[7].zw, isSecond), owner);
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
      grow(&totals[0], factors[8][0], sums0);
      grow(&totals[1], factors[8][1], sums1);
      grow(&totals[2], factors[8][2], sums2);
      grow(&totals[3], factors[8][3], sums3);
      grow(&totals[4], factors[9][0], sums4);
      grow(&totals[5], factors[9][1], sums5);
      grow(&totals[6], factors[9][2], sums6);
      grow(&totals[7], factors[9][3], sums7);
    }

    let divisors = array<f32, QUERIES>(
      divisor0, divisor1, divisor2, divisor3, divisor4, divisor5, divisor6, divisor7,
    );
    for (var query = 0u; query < QUERIES; query++) {
      let row = (workgroup.z * shape.tokens + firstQuery + query) * shape.heads + workgroup.y;
      let start = shape.firstOutput + row * headWidth;
      var divisor = divisors[query];
      divisor += quadSwapX(divisor);
      divisor += quadSwapY(divisor);
      for (var i = 0u; i < LANES * groups; i++) {
        let dimension = firstDimension + (i / LANES) * GROUP + LANES * lane + i % LANES;
        if (dimension < headWidth && firstQuery + query < shape.tokens) {
          output[start + dimension] = totals[query][i / LANES][i % LANES] / divisor;
        }
      }
    }
  }
}
