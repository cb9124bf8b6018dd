// The sum of squares of a row, for kernels whose workgroup takes one row with `threads` threads.
//
// Plain sums of many terms lose the small ones beside a massive one; these are compensated (Kahan 1965), so that they
// are as good with few threads as with many. Follows snippets/kept-sum.wgsl.

override threads: u32 = 64u;

var<workgroup> partial: array<f32, threads>;

// A sum, and what rounding has taken from it.
struct Compensated {
  sum: f32,
  lost: f32,
}

fn addSquare(before: Compensated, value: f32) -> Compensated {
  return addTerm(before, value * value);
}

fn addTerm(before: Compensated, value: f32) -> Compensated {
  let corrected = value - before.lost;
  let sum = keptSum(before.sum + corrected);
  return Compensated(sum, (sum - before.sum) - corrected);
}

// The sum over the workgroup's threads; to be asked for once. Every thread adds all the partial sums up itself: that costs fewer barriers
// than a tree.
fn sumOverThreads(thread: u32, value: f32) -> f32 {
  partial[thread] = value;
  workgroupBarrier();
  var total = Compensated();
  for (var i = 0u; i < threads; i++) {
    total = addTerm(total, partial[i]);
  }
  return total.sum;
}

// 1 / √(meanSquare + epsilon). One Newton step: inverseSqrt alone may be off by 2 units in the last place.
fn inverseRoot(meanSquare: f32, epsilon: f32) -> f32 {
  let value = meanSquare + epsilon;
  let rough = inverseSqrt(value);
  return rough * (1.5 - 0.5 * value * rough * rough);
}
