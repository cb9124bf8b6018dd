// Finds NaN and infinities by their bit pattern (arithmetic may assume that there are none): sets found[slot] to 1 if
// any of the first `elements` elements has all exponent bits set.
//
//   values  packed [elements]      found  U32 [slots]
//
// Each thread takes every stride-th 32-bit word; the grid has one dimension of at most 1024 workgroups.

struct Shape {
  elements: u32,
  slot: u32,
  workgroups: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<atomic<u32>>;

// 0: F32, 1: F16, 2: BF16.
override weightFormat: u32 = 0u;

const THREADS = 128u;

// The exponent bits of an element: of each in a word that holds two.
fn exponentBits() -> u32 {
  if (weightFormat == 0u) {
    return 0x7f800000u;
  }
  return select(0x7f807f80u, 0x7c007c00u, weightFormat == 1u);
}

// The largest exponent in a word, as its bits stand in the lowest element.
fn largestExponent(word: u32, bits: u32) -> u32 {
  let exponents = word & bits;
  if (weightFormat == 0u) {
    return exponents;
  }
  return max(exponents & 0xffffu, exponents >> 16u);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  // The last word of an odd number of 16-bit elements is padded with zeros, which are finite.
  let words = select((shape.elements + 1u) / 2u, shape.elements, weightFormat == 0u);
  let stride = shape.workgroups * THREADS;
  let bits = exponentBits();
  var largest = 0u;
  for (var i = global.x; i < words; i += stride) {
    largest = max(largest, largestExponent(values[i], bits));
  }
  if (largest == largestExponent(bits, bits)) {
    atomicStore(&found[shape.slot], 1u);
  }
}
