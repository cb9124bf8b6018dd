// The inner sweep of a Jacobi round over the Gram matrix of 32 vectors, for kernels whose threads turn a pair each: which
// vectors meet in a step, and by what angle. The kernel's uniform `crosswise` says whether only vectors of different blocks
// meet.

// Cosines under this are rounding: a rotation would not improve them.
const ROTATE_ABOVE = 1e-7;
// A pair whose every cosine is under this is left alone.
const WORK_ABOVE = 2.5e-7;

// The two vectors, lower first, of pair t in one step of the inner sweep.
fn innerPair(step: u32, t: u32) -> vec2<u32> {
  if (shape.crosswise == 1u) {
    return vec2<u32>(t, 16u + ((t + step) & 15u));
  }
  let a = select((step + t) % 31u, 31u, t == 0u);
  let b = (step + 31u - t) % 31u;
  return vec2<u32>(min(a, b), max(a, b));
}

// The sine of a pair's angle, and the tangent of its half: from their squared norms and their product.
fn turnOf(p: f32, q: f32, overlap: f32, floorSquare: f32) -> vec2<f32> {
  if (!(p > floorSquare && q > floorSquare && abs(overlap) > ROTATE_ABOVE * sqrt(p) * sqrt(q))) {
    return vec2<f32>();
  }
  let zeta = (q - p) / (2.0 * overlap);
  let tangent = select(1.0, -1.0, zeta < 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  // Whether a rotation is orthogonal depends on how exactly its sine fits half its angle's tangent. The tangent may be
  // off by what WGSL allows for a square root. So the sine is computed from the tangent, by a quotient that is refined once.
  let halfTangent = tangent / (1.0 + sqrt(1.0 + tangent * tangent));
  let divisor = 1.0 + halfTangent * halfTangent;
  let rough = 2.0 * halfTangent / divisor;
  return vec2<f32>(rough + (2.0 * halfTangent - rough * divisor) / divisor, halfTangent);
}
