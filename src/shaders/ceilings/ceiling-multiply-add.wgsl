// The highest rate at which an adapter computes: multiply-add on registers alone.
//
//   output  F32 [threads]
//
// Each thread works on twelve floats in turn, so that none waits for its last result. Fewer floats leave a GPU idle; more do
// not fit the 16 registers of a CPU that plays a GPU. In every step each float becomes a · factor + term, sixteen times. The
// host sets the factor and the term, so that the compiler does not know them; sums stay near 1. One float per thread is written.

struct Shape {
  steps: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;

override threads: u32 = 64u;
// 1: the built-in fma; 0: a product and a sum, which many compilers make one of.
override fused: u32 = 1u;

fn next(a: vec4<f32>, factor: vec4<f32>, term: vec4<f32>) -> vec4<f32> {
  if (fused == 1u) {
    return fma(a, factor, term);
  }
  return a * factor + term;
}

@compute @workgroup_size(threads)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let factor = vec4(shape.factor);
  let term = vec4(shape.term);
  let start = f32(global.x & 255u) / 256.0;
  var a0 = vec4(start);
  var a1 = vec4(start + 0.25);
  var a2 = vec4(start + 0.5);
  for (var step = 0u; step < shape.steps; step++) {
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
    a0 = next(a0, factor, term);
    a1 = next(a1, factor, term);
    a2 = next(a2, factor, term);
  }
  output[global.x] = dot(a0 + a1 + a2, vec4(1.0));
}
