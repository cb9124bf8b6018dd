import type { WorkByKernel } from '../engine/work.ts';
import { BLOCK, roundWork, spectrumShape } from './spectrum/workspace.ts';

/** Jacobi sweeps that a hidden state usually takes: of the triangular factor, and after the projection. */
const USUAL_SWEEPS = [11, 1] as const;

/**
 * The work of each kernel in the spectra of matrices [rows, columns], with n vectors of length m. It counts centring,
 * Householder QR twice (2n²(m − n/3), and padding), and the usual number of Jacobi sweeps on n × n after each. The
 * projection between them counts as three products. Kernels that sort and measure are left out.
 */
export function spectrumWork(rows: number, columns: number, matrices: number): WorkByKernel {
  const { vectors, padded, length4 } = spectrumShape(rows, columns);
  const length = 4 * length4;
  const [first, last] = USUAL_SWEEPS;
  const rounds = (padded / BLOCK - 1) * (first + last);
  let panelOperations = 0;
  let panelBytes = 0;
  let updateOperations = 0;
  let updateBytes = 0;
  for (let from = 0; from < vectors; from += BLOCK) {
    const rest = Math.max(0, vectors - from - BLOCK);
    const below = length - from;
    // Twice in all. A panel's columns are read, then written with its reflectors; the other columns are read and
    // written.
    panelOperations += 2 * 4 * below * BLOCK ** 2;
    panelBytes += 2 * 4 * 3 * below * BLOCK;
    updateOperations += 2 * 4 * below * BLOCK * rest;
    updateBytes += rest === 0 ? 0 : 2 * 4 * below * (2 * rest + BLOCK);
  }
  const elements = rows * columns;
  const each = {
    // Two floats a value, each added up and subtracted without loss.
    'column-means': [16 * elements, 4 * elements],
    'centre-columns': [16 * elements, 8 * elements],
    'gather-vectors': [0, 8 * padded * length],
    'qr-panel': [panelOperations, panelBytes],
    'qr-update': [updateOperations, updateBytes],
    'transpose-triangle': [0, 2 * 8 * padded ** 2],
    'jacobi-round': [rounds * roundWork(padded), rounds * 8 * padded ** 2],
    'project-vectors': [
      6 * padded * vectors * length,
      4 * (vectors * length + padded * vectors + padded * length),
    ],
  } as const;
  return Object.fromEntries(
    Object.entries(each).map(([kernel, [operations, bytes]]) => [
      kernel,
      { operations: matrices * operations, bytes: matrices * bytes },
    ]),
  );
}
