import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { budgets } from '../../engine/budgets.ts';

/**
 * Whether a file was visibly cut short, as after a crash or on a full disk. The length of a safetensors file then differs
 * from its header, and a JSON file does not end as it begins. Whole files with wrong content are not found.
 */
export async function isDamaged(path: string): Promise<boolean> {
  const isWeights = path.endsWith('.safetensors');
  if (!isWeights && !path.endsWith('.json')) return false;
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size === 0) return true;
    return isWeights ? await isCutSafetensors(file, size) : await isCutJson(file, size);
  } finally {
    await file.close();
  }
}

async function isCutSafetensors(file: FileHandle, size: number): Promise<boolean> {
  if (size < 8) return true;
  const headerBytes = (await readAt(file, 0, 8)).readBigUInt64LE();
  if (headerBytes === 0n) return true; // zeros, as file systems fill in after a crash
  if (headerBytes > budgets.safetensorsHeader) return false; // the reader refuses it by name
  const header = await readAt(file, 8, Math.min(Number(headerBytes), size - 8));
  if (header[0] !== 0x7b) return false; // no {: it is not JSON, and not judged here
  if (header.length < headerBytes) return true;
  let end = 0;
  for (const [, , last] of header
    .toString('latin1')
    .matchAll(/"data_offsets"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)/g)) {
    end = Math.max(end, Number(last));
  }
  return size !== 8 + Number(headerBytes) + end;
}

async function isCutJson(file: FileHandle, size: number): Promise<boolean> {
  const first = (await readAt(file, 0, Math.min(size, 64)))
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trim();
  const last = (await readAt(file, Math.max(0, size - 64), Math.min(size, 64))).toString('latin1').trim();
  const closing = { '{': '}', '[': ']' }[first[0] ?? ''];
  return first.includes('\0') || last.includes('\0') || (closing !== undefined && !last.endsWith(closing));
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}
