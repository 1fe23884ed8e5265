/** Images as windows. */
import { describe, expect, it } from 'vitest';
import type { SkyImage, Window } from '../../src/operators/support/nouns.js';
import { tile } from '../../src/operators/tile.js';
import { imageFacts, skyImage, tileName } from '../support/nouns.js';
import { testRun } from '../support/run.js';
import { Progress, produced } from '../support/stages.js';
import { copyOf, takeAll } from '../support/take-all.js';

const bands = ['g', 'r'];

/** Runs images of these sides through tile, told that all are as the first. */
async function cut(images: readonly SkyImage[], options: Parameters<typeof tile>[0]) {
  const own = await testRun({ memoryBytes: 1 << 24 });
  const first = images[0] as SkyImage;
  const chain = produced<SkyImage>(own.run, new Progress(), {
    count: images.length,
    facts: { ...imageFacts(bands, first.width), height: first.height },
    itemsOf: (i) => [tileName(i)],
    value: (i) => images[i] as SkyImage,
  }).pipe(tile({ threads: 1, ...options }, own.run));
  const result = await takeAll<Window, ReturnType<typeof copyOf>>(own.run, chain, copyOf);
  const causes = images.map((_, i) => own.run.ledger.causeOf(tileName(i)));
  await own[Symbol.asyncDispose]();
  return { ...result, causes };
}

describe('tile with size: whole', () => {
  it('gives each image as one window, whatever the step', async () => {
    const images = [skyImage(tileName(0), bands, 48), skyImage(tileName(1), bands, 48)];
    const { taken, summary } = await cut(images, { size: 'whole', step: 7 });
    expect(summary.end).toBe('complete');
    expect(taken.map(({ id, x0, y0, size }) => ({ id, x0, y0, size }))).toEqual(
      images.map(({ id }) => ({ id: `${id}/r0c0`, x0: 0, y0: 0, size: 48 })),
    );
    const { pixels } = images[0] as SkyImage;
    const planes = pixels.kind === 'memory' ? pixels.pixels : [];
    expect(taken[0]?.values).toEqual(
      Float32Array.from(planes.flatMap((plane) => [...new Float32Array(plane)])),
    );
  });

  it('sets images of another size aside, and goes on', async () => {
    const images = [48, 64, 32, 48].map((side, i) => skyImage(tileName(i), bands, side));
    const { taken, summary, causes } = await cut(images, { size: 'whole' });
    expect(summary).toMatchObject({ end: 'incomplete', items: { unprocessable: 2 } });
    expect(taken.map(({ parent }) => parent)).toEqual([tileName(0), tileName(3)]);
    expect(causes[1]).toMatchObject({
      code: 'bands_differ',
      message: expect.stringContaining('64 × 64 pixels, the others are 48 × 48'),
    });
    expect(causes[2]?.code).toBe('bands_differ');
  });

  it('does not begin with images that are no squares', async () => {
    const wide = { ...skyImage(tileName(0), bands, 48), width: 64 };
    const { summary } = await cut([wide], { size: 'whole' });
    expect(summary).toMatchObject({
      end: 'failed',
      error: { code: 'config_invalid', hint: 'use tile.size=48 or less' },
    });
  });
});
