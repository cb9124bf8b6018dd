// Embedding look-up: output[r] = previous[r] + table[indices[firstIndex + r]] for the rows whose index lies in this part of the table.
//
//   indices  I32 [rows]           table  packed [tableRows, width], rows firstRow … of the whole table
//   output   F32 [rows, width]    `previous` is what it held before where `accumulate` (positions on tokens), else 0
//
// One thread an element; the grid is (columns / 64, rows).

struct Shape {
  rows: u32,
  width: u32,
  // Which of the indices belongs to the output's first row.
  firstIndex: u32,
  firstRow: u32,
  tableRows: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

// 0: F32, 1: F16, 2: BF16.
override weightFormat: u32 = 0u;
override accumulate: bool = false;

// Every bit pattern exactly, subnormals too (unpack2x16float may flush them).
fn widenF16(half: u32) -> f32 {
  let sign = (half & 0x8000u) << 16u;
  let magnitude = half & 0x7fffu;
  let isSpecial = magnitude >= 0x7c00u;
  let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, isSpecial);
  let subnormal = bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8);
  return bitcast<f32>(sign | select(normal, subnormal, magnitude < 0x0400u));
}

fn tableAt(element: u32) -> f32 {
  if (weightFormat == 0u) {
    return bitcast<f32>(table[element]);
  }
  let half = (table[element >> 1u] >> ((element & 1u) * 16u)) & 0xffffu;
  if (weightFormat == 1u) {
    return widenF16(half);
  }
  return bitcast<f32>(half << 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let column = global.x;
  let row = global.y;
  if (column >= shape.width) {
    return;
  }
  let index = indices[shape.firstIndex + row];
  let tableRow = index - shape.firstRow;
  if (index < shape.firstRow || tableRow >= shape.tableRows) {
    return;
  }
  let at = row * shape.width + column;
  var value = tableAt(tableRow * shape.width + column);
  if (accumulate) {
    value += output[at];
  }
  output[at] = value;
}
