// Sums of exponentials as a maximum and Σ exp(x − maximum) (online softmax: Milakov and Gimelshein 2018). Each thread has
// sums of its own, or one thread those of its workgroup. The order of the operations is all that the bits depend on:
// kernels keep it whatever tiles the vocabulary comes in.

struct RunningSum {
  maximum: f32,
  sum: f32,
}

const LOWEST = -3.4028234663852886e38;

fn emptySum() -> RunningSum {
  return RunningSum(LOWEST, 0.0);
}

// exp(−|a − b|), without overflow on the way; 0 beyond 200.
fn apart(a: f32, b: f32) -> f32 {
  return exp(-2.0 * min(abs(0.5 * a - 0.5 * b), 100.0));
}

fn joined(a: RunningSum, b: RunningSum) -> RunningSum {
  let factor = apart(a.maximum, b.maximum);
  let isHigher = b.maximum > a.maximum;
  return RunningSum(
    max(a.maximum, b.maximum),
    select(a.sum + b.sum * factor, a.sum * factor + b.sum, isHigher),
  );
}
