// Joins the results of the folded matrix product for each tile of the vocabulary into each position's running sums and argmax.
// fold-log-softmax.wgsl does the same from logits.
//
//   parts    F32 [rows, 3·tiles]: maximum, Σ exp(logit − maximum), the maximum's first column counted from `firstToken`
//   maximum  F32 [rows, 3]    sum  F32 [rows, 3]: of the whole groups, of the group that has begun, and of nothing
//   argmax   I32 [rows]: the lowest token that reaches the maximum
//
// One thread per row. A group is 64 tiles counted from token 0, so that the same numbers are added in the same order wherever
// the parts begin and end.

struct Shape {
  rows: u32,
  tiles: u32,
  firstToken: u32,
  tileColumns: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> maximum: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;

const GROUP = 64u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
  let row = invocation.x;
  if (row >= shape.rows) {
    return;
  }
  let isFirst = shape.firstToken == 0u;
  let firstTile = shape.firstToken / shape.tileColumns;
  var whole = RunningSum(maximum[3u * row], sum[3u * row]);
  var group = RunningSum(maximum[3u * row + 1u], sum[3u * row + 1u]);
  var bestToken = argmax[row];
  if (isFirst) {
    whole = emptySum();
    group = emptySum();
  }
  var best = max(whole.maximum, group.maximum);

  for (var tile = 0u; tile < shape.tiles; tile += 1u) {
    let at = 3u * (row * shape.tiles + tile);
    let one = RunningSum(parts[at], parts[at + 1u]);
    if (one.maximum > best || (isFirst && tile == 0u)) {
      best = one.maximum;
      bestToken = shape.firstToken + u32(parts[at + 2u]);
    }
    group = joined(group, one);
    if ((firstTile + tile) % GROUP == GROUP - 1u) {
      whole = joined(whole, group);
      group = emptySum();
    }
  }

  maximum[3u * row] = whole.maximum;
  sum[3u * row] = whole.sum;
  maximum[3u * row + 1u] = group.maximum;
  sum[3u * row + 1u] = group.sum;
  maximum[3u * row + 2u] = LOWEST;
  sum[3u * row + 2u] = 0.0;
  argmax[row] = bestToken;
}
