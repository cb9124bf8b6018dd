// Copies chosen rows and heads of an activation to where they stand side by side:
//
//   gathered[i'·gatheredRowStride + j'·gatheredHeadStride + k] = source[first + i·rowStride + j·headStride + k]
//
//   indices  U32: for each row (i, i', its position), then for each head (j, j')
//   source   F32, rows of heads of headWidth elements, the first at firstElement
//   gathered F32
//
// One thread per element; the grid is (elements of a row's chosen heads / 64, chosen rows).

struct Shape {
  rows: u32,
  heads: u32,
  headWidth: u32,
  rowStride: u32,
  headStride: u32,
  firstElement: u32,
  gatheredRowStride: u32,
  gatheredHeadStride: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> gathered: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let head = global.x / shape.headWidth;
  let k = global.x % shape.headWidth;
  if (head >= shape.heads) {
    return;
  }
  let row = 3u * global.y;
  let pair = 3u * shape.rows + 2u * head;
  let origin = shape.firstElement + indices[row] * shape.rowStride + indices[pair] * shape.headStride + k;
  let at = indices[row + 1u] * shape.gatheredRowStride + indices[pair + 1u] * shape.gatheredHeadStride + k;
  gathered[at] = source[origin];
}
