import { describe, expect, it } from 'vitest';
import { compassOf, northUp, onPage, Page, yUp } from '../../src/science/orientation.js';
import { TanWcs } from '../../src/science/wcs.js';

const scale = 0.263 / 3600;
const wcsOf = (...cd: [number, number, number, number]): TanWcs =>
  new TanWcs({
    crval: [30, -20],
    crpix: [8, 6],
    cd: cd.map((each) => each * scale) as [number, number, number, number],
    radesys: undefined,
    equinox: undefined,
  });

/** Width and height of the page of an image of this size. */
const sides = (swaps: boolean, width: number, height: number): [number, number] =>
  swaps ? [height, width] : [width, height];

/** Matrices whose North lies in each of the four directions, with either handedness, a little turned. */
const matrices: [number, number, number, number][] = [0, 90, 180, 270].flatMap((turn) =>
  [1, -1].map((handedness): [number, number, number, number] => {
    const angle = ((turn + 11) * Math.PI) / 180;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return [-handedness * cos, sin, handedness * sin, cos];
  }),
);

describe('northUp', () => {
  it.each(matrices.map((cd) => ({ cd })))('brings North up and East left with CD = $cd', ({ cd }) => {
    const wcs = wcsOf(...cd);
    const box = { x: 0, y: 0, width: 15, height: 11 };
    const orientation = northUp(wcs);
    const page = new Page(box, orientation, ...sides(orientation.swaps, 15, 11));
    const [ra, dec] = wcs.toSky([7, 5]);
    const here = page.place(...wcs.toPixel([ra, dec]));
    const north = page.place(...wcs.toPixel([ra, dec + 2 * scale]));
    const east = page.place(...wcs.toPixel([ra + (2 * scale) / Math.cos((dec * Math.PI) / 180), dec]));
    expect(north[1]).toBeLessThan(here[1] - 1.9);
    expect(Math.abs(north[0] - here[0])).toBeLessThan(0.5);
    expect(east[0]).toBeLessThan(here[0] - 1.9);
    expect(Math.abs(east[1] - here[1])).toBeLessThan(0.5);
  });

  it('leaves an image that lies as usual with y up', () => {
    expect(northUp(wcsOf(-1, 0, 0, 1))).toEqual(yUp);
  });
});

it('points the compass along the sky', () => {
  const wcs = wcsOf(-0.8, 0.6, 0.6, 0.8);
  const { north, east } = compassOf(wcs);
  const [ra, dec] = wcs.toSky([7 + north[0], 5 + north[1]]);
  expect(dec).toBeCloseTo(-20 + scale, 9);
  expect(ra).toBeCloseTo(30, 9);
  expect(wcs.toSky([7 + east[0], 5 + east[1]])[0]).toBeGreaterThan(30);
  expect(onPage({ swaps: true, mirrorsX: false, mirrorsY: true }, 1, 2)).toEqual([2, -1]);
});

describe('Page', () => {
  const box = { x: 10, y: 20, width: 3, height: 2 };
  const flags = [false, true];
  const all = flags.flatMap((swaps) =>
    flags.flatMap((mirrorsX) => flags.map((mirrorsY) => ({ swaps, mirrorsX, mirrorsY }))),
  );

  it.each(all)('puts values where it says that positions are: %o', (orientation) => {
    const page = new Page(box, orientation, ...sides(orientation.swaps, 3, 2));
    const dots = page.arrange(Float32Array.from({ length: 6 }, (_, i) => i));
    for (let y = 0; y < 2; y++) {
      for (let x = 0; x < 3; x++) {
        const [u, v] = page.place(10 + x, 20 + y);
        expect(dots[Math.floor(v) * page.width + Math.floor(u)]).toBe(3 * y + x);
      }
    }
  });

  it('places a box by its outer edges', () => {
    const page = new Page(box, yUp, 30, 20);
    expect(page.placeBox({ x: 10, y: 20, width: 1, height: 1 }).map(Math.round)).toEqual([0, 10, 10, 10]);
    expect(page.dotsPerPixel).toEqual([10, 10]);
    expect(page.holds(31, 10)).toBe(false);
    expect(page.holds(31, 10, 1)).toBe(true);
  });
});
