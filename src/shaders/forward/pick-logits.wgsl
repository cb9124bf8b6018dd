// The logit of one chosen token for each position, where a tile of the vocabulary has it:
//
//   logits   F32 [rows, columns], the tile that starts at token `firstToken`
//   targets  U32 [rows], the token of each position; one beyond the vocabulary picks nothing
//   picked   F32 [rows]
//
// One thread per row; the grid is (rows / 64).

struct Shape {
  rows: u32,
  columns: u32,
  firstToken: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> picked: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let row = global.x;
  if (row >= shape.rows) {
    return;
  }
  let token = targets[row];
  if (token >= shape.firstToken && token - shape.firstToken < shape.columns) {
    picked[row] = logits[row * shape.columns + token - shape.firstToken];
  }
}
