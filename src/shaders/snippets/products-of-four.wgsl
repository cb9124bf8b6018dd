// Products of vectors, for kernels whose workgroup is one subgroup of four lanes. Each lane has four vectors of its own, at
// four rows: b0 … b3. Of the other vector each lane has loaded one of these rows, x, and hands it to the others: a load costs
// a CPU that plays the GPU more than the sums that it feeds.

// What the four rows add to a lane's four products.
fn products4(x: f32, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
  let firstTwo = quadBroadcast(x, 0u) * b0 + quadBroadcast(x, 1u) * b1;
  return firstTwo + (quadBroadcast(x, 2u) * b2 + quadBroadcast(x, 3u) * b3);
}
