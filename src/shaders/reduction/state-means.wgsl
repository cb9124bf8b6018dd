// The mean of each column of a row-major matrix.
//
//   matrix  [rows, columns]
//   means   [columns]
//
// The mean is taken twice, in runs of 32 rows: the mean of the remainders is added to the first mean. So the result is good
// to the last bits even if the mean is large compared with the spread. One thread per column.

struct Shape {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;

const RUN = 32u;

fn meanBeside(origin: f32, column: u32) -> f32 {
  var sum = 0.0;
  for (var first = 0u; first < shape.rows; first += RUN) {
    var run = 0.0;
    for (var row = first; row < min(first + RUN, shape.rows); row++) {
      run += matrix[row * shape.columns + column] - origin;
    }
    sum += run;
  }
  return sum / f32(shape.rows);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.columns) {
    return;
  }
  // Beside the first row: equal rows give exactly 0.
  let first = matrix[id.x];
  let mean = first + meanBeside(first, id.x);
  means[id.x] = mean + meanBeside(mean, id.x);
}
