// Embedding look-up: output[r] = previous[r] + table[indices[firstIndex + r]] for the rows whose index lies in this part of the table.
//
//   indices  I32 [rows]           table  packed [tableRows, width], rows firstRow … of the whole table
//   output   F32 [rows, width]    `previous` is what it held before where `accumulate` (positions on tokens), else 0
//
// One thread per element; the grid is (columns / 64, rows). Includes snippets/packed-weights.wgsl.

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

override accumulate: bool = false;

fn tableAt(element: u32) -> f32 {
  return widen(table[wordOf(element)], element);
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
