// Changes chosen rows and heads of an activation in place:
//
//   x ← v  (0, replace)     x ← x + v  (1, add)     x ← x · v  (2, multiply)     x ← 1/(position + 1) for the keys k up
//   to the row's position and 0 for those after it  (3, uniform: a row of an attention pattern)
//
//   x = edited[firstElement + i·rowStride + j·headStride + k]
//   v = values[firstValue + i'·valueRowStride + j'·valueHeadStride + k·valueStep]; strides of 0 repeat a value
//
//   indices  U32: for each row (i, i', its position), then for each head (j, j')
//
// One thread per element; the grid is (elements of a row's chosen heads / 64, chosen rows).

struct Shape {
  rows: u32,
  heads: u32,
  headWidth: u32,
  rowStride: u32,
  headStride: u32,
  firstElement: u32,
  valueRowStride: u32,
  valueHeadStride: u32,
  valueStep: u32,
  firstValue: u32,
  operation: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> edited: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let head = global.x / shape.headWidth;
  let k = global.x % shape.headWidth;
  if (head >= shape.heads) {
    return;
  }
  let row = 3u * global.y;
  let pair = 3u * shape.rows + 2u * head;
  let at = shape.firstElement + indices[row] * shape.rowStride + indices[pair] * shape.headStride + k;
  if (shape.operation == 3u) {
    let position = indices[row + 2u];
    edited[at] = select(0.0, 1.0 / f32(position + 1u), k <= position);
    return;
  }
  let value = values[
    shape.firstValue + indices[row + 1u] * shape.valueRowStride + indices[pair + 1u] * shape.valueHeadStride
      + k * shape.valueStep
  ];
  if (shape.operation == 0u) {
    edited[at] = value;
  } else if (shape.operation == 1u) {
    edited[at] += value;
  } else {
    edited[at] *= value;
  }
}
