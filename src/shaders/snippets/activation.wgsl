// Activation functions, for kernels that end in one: `activate` takes the code of the function as an argument, so that
// one pipeline serves them all; threads of a workgroup agree on it. Each takes one value and gives one.
//
// gelu is the exact form x·Φ(x); erf is a polynomial for |z| < 1 and erfc·exp(z²) as one in 1/(1 + z/2) beyond
// (least squares on Chebyshev nodes; |error| < 1e-7). The tanh form is x·sigmoid(2u), finite for every x.

fn geluTanh(x: f32) -> f32 {
  // Beyond 30 the sigmoid is 0 or 1; the clamp keeps the cube finite, and what is left of the sigmoid at −30 must not
  // be multiplied by a huge x.
  let clamped = clamp(x, -30.0, 30.0);
  let doubled = 1.5957691216057308 * (clamped + 0.044715 * clamped * clamped * clamped);
  return select(x / (1.0 + exp(min(-doubled, 80.0))), 0.0, x < -30.0);
}

// 1 − |erf(z)| for z ≥ 1, without cancellation.
fn erfcBeyondOne(z: f32) -> f32 {
  let clamped = min(z, 9.0);
  let t = 1.0 / (1.0 + 0.5 * clamped);
  let series =
    ((((((-0.05439896468752424 * t - 0.05296490510955293) * t + 0.3961629730687259) * t + 0.10777255130705274) * t
      + 0.32793426577575513) * t + 0.27427850149634725) * t + 0.0005462421404243134);
  // Beyond 9 it is less than 1e-36: nothing, even times a huge x.
  return select(series * exp(-clamped * clamped), 0.0, z > 9.0);
}

fn erfWithinOne(z: f32) -> f32 {
  let s = z * z;
  return z *
    (((((((-9.673590477544312e-06 * s + 0.0001126825378443274) * s - 0.0008484396536542941) * s
      + 0.005221053411646282) * s - 0.026865438310221763) * s + 0.11283782622057242) * s - 0.3761263847599088) * s
      + 1.1283791670623615);
}

fn geluErf(x: f32) -> f32 {
  let z = x * 0.7071067811865476;
  if (abs(z) < 1.0) {
    return 0.5 * x * (1.0 + erfWithinOne(z));
  }
  let tail = erfcBeyondOne(abs(z));
  return 0.5 * x * select(tail, 2.0 - tail, x > 0.0);
}

// 0: none, 1: gelu in the tanh form, 2: gelu in the erf form, 3: relu.
fn activate(x: f32, activation: u32) -> f32 {
  if (activation == 1u) {
    return geluTanh(x);
  }
  if (activation == 2u) {
    return geluErf(x);
  }
  if (activation == 3u) {
    return max(x, 0.0);
  }
  return x;
}
