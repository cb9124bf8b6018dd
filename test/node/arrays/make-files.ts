import { crc32, deflateRawSync } from 'node:zlib';

export interface NpyDescription {
  readonly descr?: string;
  readonly fortran?: boolean;
  readonly shape?: string;
  readonly version?: number;
  readonly minor?: number;
  readonly header?: string;
}

/** A .npy file, made by the format's description; [2, 3] of `<f4` unless another is described. */
export function npyFile(data: ArrayBufferView, description: NpyDescription = {}): Uint8Array {
  const { descr = "'<f4'", fortran = false, shape = '(2, 3)', version = 1, minor = 0 } = description;
  const order = fortran ? 'True' : 'False';
  const text = description.header ?? `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const header = new TextEncoder().encode(text.padEnd(length - 1) + '\n');
  const file = new Uint8Array(start + length + data.byteLength);
  file.set([0x93, ...new TextEncoder().encode('NUMPY'), version, minor]);
  const view = new DataView(file.buffer);
  if (version === 1) view.setUint16(8, length, true);
  else view.setUint32(8, length, true);
  file.set(header, start);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + length);
  return file;
}

export interface ZipMember {
  readonly path: string;
  readonly data: Uint8Array;
  readonly deflated?: boolean;
  /** Sizes and place are written in the zip64 extra field. */
  readonly zip64?: boolean;
  /** Written instead of the method that compressed it. */
  readonly method?: number;
  readonly checksum?: number;
}

/** A zip archive, made by PKWARE's APPNOTE 6.3. */
export function zipFile(members: readonly ZipMember[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { path, data, deflated = false, zip64 = false, ...member } of members) {
    const stored = deflated ? deflateRawSync(data) : Buffer.from(data);
    const name = Buffer.from(path);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(45, 0);
    common.writeUInt16LE(member.method ?? (deflated ? 8 : 0), 4);
    common.writeUInt32LE(member.checksum ?? crc32(data), 10);
    common.writeUInt32LE(zip64 ? 0xffffffff : stored.length, 14);
    common.writeUInt32LE(zip64 ? 0xffffffff : data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const extra = Buffer.alloc(zip64 ? 28 : 0);
    if (zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(data.length), 4);
      extra.writeBigUInt64LE(BigInt(stored.length), 12);
      extra.writeBigUInt64LE(BigInt(offset), 20);
    }
    common.writeUInt16LE(extra.length, 24);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, extra, stored]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(zip64 ? 0xffffffff : offset, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([45, 0]), common, rest, name, extra]),
    );
    locals.push(local);
    offset += local.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(listing.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, listing, Buffer.from('PK\x05\x06'), end]);
}
