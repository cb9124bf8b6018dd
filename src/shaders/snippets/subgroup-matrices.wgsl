// Factors and sums of matrix-product-matrices.wgsl as matrices of a subgroup. All threads of a subgroup call these functions
// with the same places; each thread holds a part of every matrix. Tests replace this text with one that computes the same
// without the feature.

alias Left = subgroup_matrix_left<Part, MATRIX_TERMS, MATRIX_ROWS>;
alias Right = subgroup_matrix_right<Part, MATRIX_COLUMNS, MATRIX_TERMS>;
alias Sum = subgroup_matrix_result<f32, MATRIX_COLUMNS, MATRIX_ROWS>;

fn leftHigh(m: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&inputHigh, m * DEPTH + k, DEPTH);
}

fn leftLow(m: u32, k: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&inputLow, m * DEPTH + k, DEPTH);
}

fn rightHigh(n: u32, k: u32) -> Right {
  if (transposed) {
    return subgroupMatrixLoad<Right, col_major>(&weightHigh, n * DEPTH + k, DEPTH);
  }
  return subgroupMatrixLoad<Right, row_major>(&weightHigh, k * TILE_COLUMNS + n, TILE_COLUMNS);
}

fn rightLow(n: u32, k: u32) -> Right {
  if (transposed) {
    return subgroupMatrixLoad<Right, col_major>(&weightLow, n * DEPTH + k, DEPTH);
  }
  return subgroupMatrixLoad<Right, row_major>(&weightLow, k * TILE_COLUMNS + n, TILE_COLUMNS);
}

fn addProduct(left: Left, right: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

// Writes a sum into workgroup memory, row after row.
fn keepSum(sum: Sum, at: u32) {
  subgroupMatrixStore<row_major>(&results, at, sum, MATRIX_COLUMNS);
}
