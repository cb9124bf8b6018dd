// Pairs of sums over a row, for kernels whose workgroup takes one row with `threads` threads. They are compensated (Kahan 1965),
// so that they are as good with few threads as with many.
//
// Follows snippets/kept-sum.wgsl.

override threads: u32 = 64u;

var<workgroup> partial: array<vec2<f32>, threads>;

// A sum, and what rounding has taken from it.
struct Compensated {
  sum: vec2<f32>,
  lost: vec2<f32>,
}

fn add(before: Compensated, value: vec2<f32>) -> Compensated {
  let corrected = value - before.lost;
  let sum = vec2(keptSum(before.sum.x + corrected.x), keptSum(before.sum.y + corrected.y));
  return Compensated(sum, (sum - before.sum) - corrected);
}

// The sums of both components over the workgroup's threads. Every thread adds all the partial sums up itself: that
// costs fewer barriers than a tree.
fn sumOverThreads(thread: u32, value: vec2<f32>) -> vec2<f32> {
  partial[thread] = value;
  workgroupBarrier();
  var total = Compensated();
  for (var i = 0u; i < threads; i++) {
    total = add(total, partial[i]);
  }
  workgroupBarrier();
  return total.sum;
}
