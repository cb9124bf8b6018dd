// How far each row of a changed state is from the original: squares[row] = (Σ (x − c)², Σ c²) over the features.
//
//   changed, original  F32 rows of `width`, from their first elements on    squares  F32 [·, 2], from row `firstSquare` on
//
// One workgroup per row; each thread adds up every 64th feature, then the 64 sums are added in pairs.

struct Shape {
  width: u32,
  firstChanged: u32,
  firstOriginal: u32,
  firstSquare: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> changed: array<f32>;
@group(0) @binding(2) var<storage, read> original: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<vec2<f32>>;

const THREADS = 64u;

var<workgroup> partial: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x * shape.width;
  var sum = vec2<f32>(0.0);
  for (var k = thread; k < shape.width; k += THREADS) {
    let c = original[shape.firstOriginal + row + k];
    let change = changed[shape.firstChanged + row + k] - c;
    sum += vec2<f32>(change * change, c * c);
  }
  partial[thread] = sum;
  for (var stride = THREADS / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (thread < stride) {
      partial[thread] += partial[thread + stride];
    }
  }
  if (thread == 0u) {
    squares[shape.firstSquare + workgroup.x] = partial[0];
  }
}
