// A float as a whole number of 48 bits, in four signed digits of 12, for kernels whose threads sum a column or take a
// difference from its mean. Sums and differences of such numbers are exact, whatever the order, the compiler's fast
// mathematics or its subnormals.

// The smallest e with magnitude < 2^e, and at least -125.
fn exponentAbove(magnitudeBits: u32) -> i32 {
  return max(i32(magnitudeBits >> 23u), 1) - 126;
}

// The number with these bits, divided by 2^exponent, which is above its magnitude; exact except for what is under 2^-48.
fn digits(bits: u32, exponent: i32) -> vec4<i32> {
  let field = i32((bits >> 23u) & 0xffu);
  let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, field > 0);
  // Where the mantissa ends among the 48 bits.
  let shift = max(field, 1) - 102 - exponent;
  var upper = 0u;
  var lower = mantissa >> u32(clamp(-shift, 0, 31));
  if (shift > 0) {
    upper = mantissa >> u32(24 - shift);
    lower = (mantissa << u32(shift)) & 0xffffffu;
  }
  let magnitudes = vec4<i32>(vec4<u32>(upper >> 12u, upper & 0xfffu, lower >> 12u, lower & 0xfffu));
  return select(magnitudes, -magnitudes, (bits >> 31u) == 1u);
}
