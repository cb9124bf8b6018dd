import { join } from 'node:path';
import { growthFigure } from '../../analysis/figure-growth.ts';
import { jsonText } from '../../analysis/json.ts';
import { writeFileAtomically } from '../atomic.ts';
import { describeHead } from './describe.ts';
import type { GrowthBench } from './growth.ts';

/**
 * Writes growth.svg, growth.png and growth.json, which stands where the others do.
 * @throws FileError if one cannot be written
 */
export async function writeGrowthFiles(folder: string, result: GrowthBench): Promise<void> {
  // Drawing takes Vega, which the other measurements need not load.
  const { renderPng, renderSvg } = await import('../render.ts');
  const { name, specification } = growthFigure(result.growths, [describeHead(result).trim()]);
  const svg = await renderSvg(specification);
  await writeFileAtomically(join(folder, `${name}.svg`), svg);
  await writeFileAtomically(join(folder, `${name}.png`), renderPng(svg));
  await writeFileAtomically(join(folder, `${name}.json`), jsonText(result, `${name}.json`));
}
