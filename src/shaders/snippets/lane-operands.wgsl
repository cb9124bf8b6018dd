// Operands of a matrix product whose lanes share their loads: where rows and columns start, weights, and how a sum is
// stored. The kernel binds and names what matrix-product-lanes.wgsl does; a thread has rows and columns of the output. Follows
// snippets/packed-weights.wgsl.

fn weightAt(element: u32) -> f32 {
  return widen(weight[wordOf(element)], element);
}

fn fourWeights(starts: vec4<u32>, at: u32) -> vec4<f32> {
  return vec4(
    weightAt(starts.x + at),
    weightAt(starts.y + at),
    weightAt(starts.z + at),
    weightAt(starts.w + at),
  );
}

// Beyond the edges, rows and columns repeat the last one; their results are never stored.
fn startOfRow(m: u32) -> u32 {
  return min(m, shape.rows - 1u) * shape.inputStride + shape.firstInput;
}

fn startsOfColumns(n: u32) -> vec4<u32> {
  let columns = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(shape.columns - 1u));
  return shape.firstWeight + columns * shape.columnStep;
}

// A sum with what is added to it, into the output.
fn storeSum(m: u32, n: u32, product: f32) {
  let at = shape.firstOutput + m * shape.outputStride + shape.firstColumn + n;
  var sum = product;
  if (shape.hasBias != 0u) {
    sum += bias[shape.firstColumn + n];
  }
  if (shape.accumulate != 0u) {
    sum += output[at];
  }
  output[at] = sum;
}
