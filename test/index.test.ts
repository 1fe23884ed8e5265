import { expect, it } from 'vitest';
import {
  catalogBands,
  deriveSeed,
  fieldDefaults,
  fieldWcs,
  modelPsf,
  noiseMaker,
  noiseSeed,
  parsePsf,
  Renderer,
  renderKernels,
  sampleField,
  sigmaOfDepth,
} from '../src/index.js';

it('draws a field with plain functions, and no run', () => {
  const side = 128;
  const seed = deriveSeed(7, 'a field of my own');
  const wcs = fieldWcs(side, side, 50.6, -40.2, 0.263);
  const { sources } = sampleField(fieldDefaults, { seed, width: side, height: side, wcs, origin: 1 });
  const psf = modelPsf(parsePsf({ kolmogorov: { fwhm: 0.9, e: 0, beta: 0 } }));
  const pixels = catalogBands.map(() => new Float32Array(side * side));
  const rows = { width: side, y0: 0, y1: side, bands: catalogBands, pixels };
  new Renderer(renderKernels()).draw(psf, sources, rows, { origin: 1, truncate: 'galsim' });

  const brightest = (band: number): number => (pixels[band] as Float32Array).reduce((a, b) => Math.max(a, b));
  expect(sources.count).toBeGreaterThan(0);
  for (const band of catalogBands.keys()) expect(brightest(band)).toBeGreaterThan(0);

  const sigma = sigmaOfDepth(24.4);
  const noise = new Float32Array(side * side);
  noiseMaker().fill({ sigma, seed: noiseSeed(seed, 'r') }, side, 0, side, noise);
  const variance = noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length;
  expect(Math.sqrt(variance) / sigma).toBeCloseTo(1, 1);
});
