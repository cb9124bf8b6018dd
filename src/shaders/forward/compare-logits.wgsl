// Compares logits with the original ones of the same positions, one tile of the vocabulary at a time. The sums give
// Kullback and Leibler's divergence from the original to the changed distribution, and the largest change of a log-softmax.
//
//   logits  F32 [originals + rows, columns], the tile that starts at token `firstToken`; the originals come first, and row r
//           of the others is compared with original r mod originals
//   sums    F32 [rows, 9], with a the original logits, b the changed ones, d = a − b − offset and w = exp(a − max a):
//           max a, Σ w, Σ w d, Σ w (exp(−d) − 1), max b, Σ exp(b − max b), max d, min d, offset
//
// The offset, a − b of token 0, removes what all tokens of a row share. Where d is small, Σ w d and Σ w (exp(−d) − 1) give
// the divergence without cancellation, because the rounding of w is the same in both; for large d, sums over b are used.
// One workgroup per row.

struct Shape {
  originals: u32,
  columns: u32,
  firstToken: u32,
  firstRow: u32, // at which this dispatch begins
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

const THREADS = 64u;
const RUN = 32u;
const LOWEST = -3.4028234663852886e38;

var<workgroup> largest: array<vec4<f32>, THREADS>; // a, b, d, −d
var<workgroup> partial: array<vec4<f32>, THREADS>;

/// exp(x) − 1, by its series where x is small.
fn expMinus1(x: f32) -> f32 {
  let series = x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0))))));
  return select(exp(min(x, 80.0)) - 1.0, series, abs(x) < 0.4);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let columns = shape.columns;
  let row = shape.firstRow + workgroup.x;
  let original = (row % shape.originals) * columns;
  let changed = (shape.originals + row) * columns;
  let at = 9u * row;
  let isFirst = shape.firstToken == 0u;
  let offset = select(sums[at + 8u], logits[original] - logits[changed], isFirst);

  var best = vec4<f32>(LOWEST);
  for (var i = thread; i < columns; i += THREADS) {
    let a = logits[original + i];
    let b = logits[changed + i];
    let d = (a - b) - offset;
    best = max(best, vec4<f32>(a, b, d, -d));
  }
  largest[thread] = best;
  for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      largest[thread] = max(largest[thread], largest[thread + stride]);
    }
  }
  workgroupBarrier();

  let maxA = max(largest[0].x, select(sums[at], LOWEST, isFirst));
  let maxB = max(largest[0].y, select(sums[at + 4u], LOWEST, isFirst));
  // Runs first, then their sums, so that few threads add up as well as many.
  var total = vec4<f32>(0.0);
  for (var first = thread; first < columns; first += RUN * THREADS) {
    var run = vec4<f32>(0.0);
    for (var i = first; i < min(first + RUN * THREADS, columns); i += THREADS) {
      let a = logits[original + i];
      let b = logits[changed + i];
      let weight = exp(a - maxA);
      let d = (a - b) - offset;
      run += vec4<f32>(weight, weight * d, weight * expMinus1(-d), exp(b - maxB));
    }
    total += run;
  }
  partial[thread] = total;
  for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      partial[thread] += partial[thread + stride];
    }
  }

  if (thread == 0u) {
    var kept = vec4<f32>(0.0);
    var extremes = vec2<f32>(LOWEST);
    if (!isFirst) {
      kept = exp(sums[at] - maxA) * vec4<f32>(sums[at + 1u], sums[at + 2u], sums[at + 3u], 0.0);
      kept.w = exp(sums[at + 4u] - maxB) * sums[at + 5u];
      extremes = vec2<f32>(sums[at + 6u], -sums[at + 7u]);
    }
    let sum = kept + partial[0];
    sums[at] = maxA;
    sums[at + 1u] = sum.x;
    sums[at + 2u] = sum.y;
    sums[at + 3u] = sum.z;
    sums[at + 4u] = maxB;
    sums[at + 5u] = sum.w;
    sums[at + 6u] = max(extremes.x, largest[0].z);
    sums[at + 7u] = -max(extremes.y, largest[0].w);
    sums[at + 8u] = offset;
  }
}
