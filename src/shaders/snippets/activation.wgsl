// Activation functions, for kernels that end in one: `activate` takes the code of the function as an argument, so that
// one pipeline serves them all; threads of a workgroup agree on it. Each takes one value and gives one.
//
// Each is finite for every finite x where its value is (relu2 overflows). exp is asked for no more than it can give, and
// near zero nothing is subtracted from nearly itself, so that errors stay relative to small values, too. A NaN stays one:
// comparisons and max() would hide it, so it is looked for in the bits.
//
// gelu is the exact form x·Φ(x); erf is a polynomial for |z| < 1 and erfc·exp(z²) as one in 1/(1 + z/2) beyond
// (least squares on Chebyshev nodes; |error| < 1e-7). The tanh form is x·sigmoid(2u).

fn isNaN(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

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

fn relu(x: f32) -> f32 {
  return select(0.0, x, x > 0.0);
}

// e^−|x|, and 0 where it is too small to matter even times x.
fn expOfMinusAbs(x: f32) -> f32 {
  return select(exp(-min(abs(x), 100.0)), 0.0, abs(x) > 100.0);
}

fn sigmoid(x: f32) -> f32 {
  let e = expOfMinusAbs(x);
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// tanh's series up to its 13th power below 1/2; beyond, 1 − 2/(e^2|x| + 1).
fn tanhExact(x: f32) -> f32 {
  let s = x * x;
  let series = x + x * s *
    (-0.3333333333333333 + s * (0.13333333333333333 + s * (-0.05396825396825397 + s * (0.021869488536155203
      + s * (-0.008863235529902197 + s * 0.003592128036572481)))));
  let e = expOfMinusAbs(2.0 * clamp(x, -60.0, 60.0));
  return select(sign(x) * (1.0 - 2.0 * e / (1.0 + e)), series, abs(x) < 0.5);
}

// x·tanh(ln(1 + e^x)) = x·n/(n + 2) with n = e^x·(e^x + 2).
fn mish(x: f32) -> f32 {
  let e = exp(clamp(x, -90.0, 20.0));
  let n = e * (e + 2.0);
  return select(x * (n / (n + 2.0)), 0.0, x < -90.0);
}

// Φ((x − μ)/σ) with μ = √½ and σ = 1/√4π, rounded as in MEGA (Ma et al. 2022).
fn laplace(x: f32) -> f32 {
  let z = (clamp(x, -100.0, 100.0) - 0.707107) * 2.506626424383798;
  if (abs(z) < 1.0) {
    return 0.5 + 0.5 * erfWithinOne(z);
  }
  let tail = 0.5 * erfcBeyondOne(abs(z));
  return select(tail, 1.0 - tail, z > 0.0);
}

// √(ln(1 + e^x)): ln(1 + e) is 2·artanh(e/(2 + e)), by its series, for e = e^−|x|.
fn sqrtSoftplus(x: f32) -> f32 {
  let e = expOfMinusAbs(x);
  let r = e / (2.0 + e);
  let s = r * r;
  let log1p = 2.0 * r * (1.0 + s * (0.3333333333333333 + s * (0.2 + s * (0.14285714285714285
    + s * (0.1111111111111111 + s * (0.09090909090909091 + s * 0.07692307692307693))))));
  let softplus = relu(x) + log1p;
  // sqrt may be as inexact as inverseSqrt: one step of Newton's.
  let root = sqrt(softplus);
  return select(0.5 * (root + softplus / root), 0.0, softplus < 1e-30);
}

// The codes of src/engine/activations.ts.
fn activateNumber(x: f32, activation: u32) -> f32 {
  switch (activation) {
    case 1u: { return geluTanh(x); }
    case 2u: { return geluErf(x); }
    case 3u: { return relu(x); }
    case 4u: { return x * sigmoid(1.702 * clamp(x, -1000.0, 1000.0)); } // quick_gelu
    case 5u: { return clamp(geluErf(x), -10.0, 10.0); } // gelu_10
    case 6u: { return x * sigmoid(x); } // silu
    case 7u: { return sigmoid(x); }
    case 8u: { return tanhExact(x); }
    case 9u: { return mish(x); }
    case 10u: { return laplace(x); }
    case 11u: { return select(0.01 * x, x, x > 0.0); } // leaky_relu
    case 12u: { return relu(x) * relu(x); } // relu2
    case 13u: { return clamp(x, 0.0, 6.0); } // relu6
    case 14u: { return x * (clamp(x + 3.0, 0.0, 6.0) / 6.0); } // hardswish
    case 15u: { return sqrtSoftplus(x); }
    default: { return x; }
  }
}

fn activate(x: f32, activation: u32) -> f32 {
  if (activation == 0u || isNaN(x)) {
    return x;
  }
  return activateNumber(x, activation);
}
