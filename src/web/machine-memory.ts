/** Bytes of the machine's memory. Browsers tell it in GiB, 8 at most, if at all. */
export function machineMemory(): number {
  const { deviceMemory = 8 } = navigator as Navigator & { readonly deviceMemory?: number };
  return deviceMemory * 2 ** 30;
}
