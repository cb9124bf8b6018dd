// Folds one tile of the vocabulary into each position's running maximum, Σ exp(logit − maximum) and argmax, so that
// the logits of the whole vocabulary never exist at once (online softmax: Milakov and Gimelshein 2018).
//
//   logits   F32 [rows, columns], the tile that starts at token `firstToken`
//   maximum  F32 [rows]    sum  F32 [rows]    argmax  I32 [rows]: the lowest token that reaches the maximum
//
// In the end the largest log-softmax is max − logsumexp = −ln(sum). One workgroup a row.

struct Shape {
  rows: u32,
  columns: u32,
  firstToken: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> maximum: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;

// A power of two.
override threads: u32 = 128u;
const RUN = 64u;
const LOWEST = -3.4028234663852886e38;

var<workgroup> largest: array<f32, threads>;
var<workgroup> tokenOf: array<u32, threads>;
var<workgroup> partial: array<f32, threads>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x;
  let columns = shape.columns;
  let first = row * columns;

  var best = LOWEST;
  var bestToken = 0u;
  for (var i = thread; i < columns; i += threads) {
    let logit = logits[first + i];
    bestToken = select(bestToken, i, logit > best);
    best = max(best, logit);
  }
  largest[thread] = best;
  tokenOf[thread] = bestToken;
  for (var stride = threads / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      let other = largest[thread + stride];
      let isTie = other == largest[thread] && tokenOf[thread + stride] < tokenOf[thread];
      if (other > largest[thread] || isTie) {
        largest[thread] = other;
        tokenOf[thread] = tokenOf[thread + stride];
      }
    }
  }
  workgroupBarrier();

  let isFirst = shape.firstToken == 0u;
  let before = select(maximum[row], LOWEST, isFirst);
  let now = max(before, largest[0]);
  // Runs first, then their sums, so that few threads add up as well as many.
  var tail = 0.0;
  for (var start = thread; start < columns; start += RUN * threads) {
    let end = min(start + RUN * threads, columns);
    var run = 0.0;
    for (var i = start; i < end; i += threads) {
      run += exp(logits[first + i] - now);
    }
    tail += run;
  }
  partial[thread] = tail;
  for (var stride = threads / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      partial[thread] += partial[thread + stride];
    }
  }

  if (thread == 0u) {
    let kept = select(sum[row] * exp(before - now), 0.0, isFirst);
    sum[row] = kept + partial[0];
    if (isFirst || largest[0] > before) {
      argmax[row] = shape.firstToken + tokenOf[0];
    }
    maximum[row] = now;
  }
}
