/** Windows whose content is known, and easy to tell. */
import type { Window } from '../../src/operators/support/nouns.js';
import { emptySources } from '../../src/science/catalog.js';
import { deriveSeed, Random } from '../../src/science/random.js';
import { wcs } from './nouns.js';

const size = 256;

/** A window of 256 px and four bands, a single cell: noise, and where there is a member, a bright square upon it. */
export function knownWindow(parent: string, isMember: boolean): Window {
  const pixels = new SharedArrayBuffer(4 * 4 * size * size);
  const image = new Float32Array(pixels);
  const random = new Random(deriveSeed('known window', parent));
  for (let i = 0; i < image.length; i++) image[i] = random.normal();
  if (isMember) {
    for (let row = 0; row < 4 * size; row++) {
      if (row % size >= 64 && row % size < 192)
        for (let x = 64; x < 192; x++) image[row * size + x] = (image[row * size + x] as number) + 20;
    }
  }
  const sources = emptySources(1);
  sources.columns.X[0] = size / 2;
  sources.columns.Y[0] = size / 2;
  sources.columns.MEM[0] = isMember ? 1 : 0;
  return {
    id: `${parent}/r0c0`,
    parent,
    x0: 0,
    y0: 0,
    size,
    bands: ['g', 'r', 'i', 'z'],
    pixels,
    wcs,
    ra: 10,
    dec: -40,
    maskedFraction: 0,
    truth: {
      id: parent,
      width: size,
      height: size,
      wcs,
      areaSquareDegrees: 1e-4,
      sources,
      clusters: [],
      seed: '0',
      inputs: [],
      fingerprint: '',
    },
  };
}
