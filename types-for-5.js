/**
 * Writes beside each entry's types in dist/types the ones for TypeScript 5, whose DOM library does not know WebGPU:
 * they add the package @webgpu/types, which TypeScript 6 would find at odds with its own.
 */
import { writeFile } from 'node:fs/promises';
import packageJson from './package.json' with { type: 'json' };

for (const entry of Object.values(packageJson.exports)) {
  const text = `/// <reference types="@webgpu/types" />\nexport * from './index.js';\n`;
  await writeFile(new URL(entry['types@<6'], import.meta.url), text);
}
