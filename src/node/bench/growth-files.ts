import { growthFigure } from '../../analysis/figure-growth.ts';
import { jsonText } from '../../analysis/json.ts';
import type { FileSet } from '../file-set.ts';
import { describeHead } from './describe.ts';
import type { GrowthBench } from './growth.ts';

/** What `writeGrowthFiles` writes, the numbers last. */
export const growthFileNames = ['growth.svg', 'growth.png', 'growth.json'];

/**
 * Writes growth.svg, growth.png and growth.json and puts them in place.
 * @throws FileError if one cannot be written
 */
export async function writeGrowthFiles(files: FileSet, result: GrowthBench): Promise<void> {
  // Vega is loaded only for drawing.
  const { renderPng, renderSvg } = await import('../render.ts');
  const { name, specification } = growthFigure(result.growths, [describeHead(result).trim()]);
  const svg = await renderSvg(specification);
  await files.write(`${name}.svg`, svg);
  await files.write(`${name}.png`, renderPng(svg));
  await files.write(`${name}.json`, jsonText(result, `${name}.json`));
  await files.commit();
}
