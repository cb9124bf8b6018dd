// Joins what the folded matrix product left of each tile of the vocabulary into each position's running maximum,
// Σ exp(logit − maximum) and argmax (online softmax: Milakov and Gimelshein 2018). fold-log-softmax.wgsl does the same
// from logits.
//
//   parts    F32 [rows, 3·tiles]: maximum, Σ exp(logit − maximum), the maximum's first column counted from `firstToken`
//   maximum  F32 [rows]    sum  F32 [rows]    argmax  I32 [rows]: the lowest token that reaches the maximum
//
// One workgroup a row.

struct Shape {
  rows: u32,
  tiles: u32,
  firstToken: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> maximum: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;

// A power of two.
override threads: u32 = 128u;
const LOWEST = -3.4028234663852886e38;

var<workgroup> largest: array<f32, threads>;
var<workgroup> columnOf: array<f32, threads>;
var<workgroup> partial: array<f32, threads>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x;
  let first = row * 3u * shape.tiles;

  var best = LOWEST;
  var bestColumn = 0.0;
  for (var tile = thread; tile < shape.tiles; tile += threads) {
    let value = parts[first + 3u * tile];
    if (value > best) {
      best = value;
      bestColumn = parts[first + 3u * tile + 2u];
    }
  }
  largest[thread] = best;
  columnOf[thread] = bestColumn;
  for (var stride = threads / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      let other = largest[thread + stride];
      let isTie = other == largest[thread] && columnOf[thread + stride] < columnOf[thread];
      if (other > largest[thread] || isTie) {
        largest[thread] = other;
        columnOf[thread] = columnOf[thread + stride];
      }
    }
  }
  workgroupBarrier();

  let isFirst = shape.firstToken == 0u;
  let before = select(maximum[row], LOWEST, isFirst);
  let now = max(before, largest[0]);
  var tail = 0.0;
  for (var tile = thread; tile < shape.tiles; tile += threads) {
    tail += parts[first + 3u * tile + 1u] * exp(parts[first + 3u * tile] - now);
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
      argmax[row] = shape.firstToken + u32(columnOf[0]);
    }
    maximum[row] = now;
  }
}
