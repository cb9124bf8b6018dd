// Powers of two that scale vectors, exactly: by the bits of floats, since a division need not be exact. For kernels each of
// whose threads or workgroups scales elements of the centred matrix, which column-means.wgsl and centre-columns.wgsl left
// with its largest magnitude in `summary`.

// The power of two that brings the largest magnitude, given by its bits, below one.
fn centredScale(magnitudeBits: u32) -> f32 {
  return bitcast<f32>(u32(clamp(126 - i32(magnitudeBits >> 23u), -126, 127) + 127) << 23u);
}

// 2^floor(log2 norm), and 1 for 0.
fn powerUnder(norm: f32) -> f32 {
  return select(bitcast<f32>(bitcast<u32>(norm) & 0x7f800000u), 1.0, norm == 0.0);
}

// 1 / power by its bits, since a division need not be exact.
fn inversePower(power: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(0x7f000000u) - bitcast<vec4<u32>>(power));
}
