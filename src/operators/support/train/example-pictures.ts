/** Examples of validation windows: the sky, the cells that hold members, and what the encoder says of each cell. */
import { setImmediate } from 'node:timers/promises';
import { black, box, filled, line, stroked, text, wordsWidth } from '../../../formats/chart/svg.js';
import { fitText } from '../../../formats/font.js';
import { writePng } from '../../../formats/png.js';
import { luptonRgb, type Rgb, sampleOf, skyOf, viridis } from '../../../science/stretch.js';

type Planes = readonly [red: Float32Array, green: Float32Array, blue: Float32Array];

export interface Example {
  /** Which window it is, and why it is shown. */
  readonly title: string;
  /** Bands for red, green and blue (i, r and g), row by row; any unit. */
  readonly planes: Planes;
  readonly width: number;
  readonly height: number;
  /** Rows and columns of cells; cell (row, column) is element row · nx + column. */
  readonly ny: number;
  readonly nx: number;
  /** 1 where there are members. */
  readonly truth: ArrayLike<number>;
  readonly probability: ArrayLike<number>;
}

export interface ExampleOptions {
  /** From which probability on a cell counts as found; 0.5 when left out. */
  readonly threshold?: number;
  /** Pictures beside each other; 3 when left out. */
  readonly columns?: number;
  readonly title?: string;
}

const side = 380;
const gap = 18;
const margin = 22;
const heading = 26;
const footing = 26;
const legend = 44;
const truthInk = '#f5a623';

/**
 * Draws windows side by side, all in the same colours: black is one sigma below the sky, bands are weighted so that their
 * noise is alike, asinh after Lupton et al. 2004. Row 0 is at the bottom. Cells with members are outlined; the more
 * probable a cell is said to be, the more it is covered with its colour, and its probability stands in it.
 *
 * @returns bytes of the file
 * @throws RangeError for a plane or cells of another length than their sides say, and without any example; the system's errors
 */
export async function writeExamples(
  path: string,
  examples: readonly Example[],
  { threshold = 0.5, columns = 3, title }: ExampleOptions = {},
): Promise<number> {
  if (examples.length === 0) throw new RangeError('expected examples to draw, found none');
  examples.forEach(check);
  const pictures = await picturesOf(examples);
  const across = Math.min(columns, examples.length);
  const rows = Math.ceil(examples.length / across);
  const top = title === undefined ? margin : margin + 34;
  const cellHeight = heading + side + footing + gap;
  const width = 2 * margin + across * side + (across - 1) * gap;
  const height = top + rows * cellHeight + legend;
  const places = examples.map((_, i) => ({
    left: margin + (i % across) * (side + gap),
    top: top + Math.floor(i / across) * cellHeight + heading,
  }));
  const drawn = [
    title === undefined
      ? ''
      : text(fitText(title, width - 2 * margin, 19, 600), width / 2, margin + 14, 19, {
          weight: 600,
          anchor: 'middle',
        }),
    ...examples.map((example, i) => {
      const { left, top } = places[i] as { left: number; top: number };
      return overPicture(example, left, top, threshold);
    }),
    legendSvg(margin, height - legend + 6),
  ];
  return await writePng(path, {
    width,
    height,
    background: '#ffffff',
    layers: pictures.map((dots, i) => ({
      dots,
      channels: 3,
      width: side,
      height: side,
      ...(places[i] as { left: number; top: number }),
    })),
    svg: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${drawn.join('')}</svg>`,
    palette: false,
  });
}

/** The cells of a window by what was said of them and what they are, in words. */
export function outcomeWords({ truth, probability }: Example, threshold: number): string {
  let [found, missed, wrong] = [0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const isSaid = (probability[i] as number) > threshold;
    if ((truth[i] as number) > 0) isSaid ? found++ : missed++;
    else if (isSaid) wrong++;
  }
  return `${found} found  ·  ${missed} missed  ·  ${wrong} false ${wrong === 1 ? 'alarm' : 'alarms'}`;
}

function overPicture(example: Example, left: number, top: number, threshold: number): string {
  const { ny, nx, truth, probability, title } = example;
  const [across, down] = [side / nx, side / ny];
  const size = Math.min(13, across * 0.36);
  const fills: string[] = [];
  const outlines: string[] = [];
  const numbers: string[] = [];
  for (let i = 0; i < ny * nx; i++) {
    const [x, y] = [left + (i % nx) * across, top + side - (Math.floor(i / nx) + 1) * down];
    const said = probability[i] as number;
    if (said >= 0.02) fills.push(filled(box(x, y, across, down), colourOf(said), opacityOf(said)));
    if ((truth[i] as number) > 0) outlines.push(box(x + 2, y + 2, across - 4, down - 4));
    if (size < 8 || (said < 0.1 && !((truth[i] as number) > 0))) continue;
    numbers.push(
      text(said.toFixed(2), x + across / 2, y + down / 2 + 0.36 * size, size, {
        fill: '#ffffff',
        halo: '#101418',
        anchor: 'middle',
        weight: said > threshold ? 600 : 400,
      }),
    );
  }
  return [
    ...fills,
    stroked(outlines.join(''), '#101418', 4, { opacity: 0.6 }),
    stroked(outlines.join(''), truthInk, 2),
    ...numbers,
    stroked(box(left, top, side, side), black, 1),
    text(fitText(title, side, 14.5, 600), left, top - 8, 14.5, { weight: 600 }),
    text(outcomeWords(example, threshold), left, top + side + 18, 13, { fill: '#444444' }),
  ].join('');
}

const colourOf = (probability: number): string => `rgb(${viridis(probability).join(',')})`;
/** Cells of what is thought empty hide little of the sky, the others more. */
const opacityOf = (probability: number): number => 0.06 + 0.44 * probability;

/** What outlines and colours mean. */
function legendSvg(left: number, top: number): string {
  const words = 'Cell with cluster members';
  const barLeft = left + 34 + wordsWidth(words, 13) + 40;
  const barWidth = 160;
  const stops = Array.from(
    { length: 17 },
    (_, i) => `<stop offset="${i / 16}" stop-color="${colourOf(i / 16)}"/>`,
  );
  return [
    stroked(box(left + 1, top + 1, 22, 16), truthInk, 2),
    text(words, left + 34, top + 14, 13),
    text('Predicted probability  0', barLeft, top + 14, 13),
    `<defs><linearGradient id="probability">${stops.join('')}</linearGradient></defs>`,
    `<rect x="${barLeft + 140}" y="${top + 2}" width="${barWidth}" height="14" fill="url(#probability)"/>`,
    text('1', barLeft + 140 + barWidth + 8, top + 14, 13),
    stroked(line(barLeft + 140, top + 16, barLeft + 140 + barWidth, top + 16), black, 0.8),
  ].join('');
}

/** Stretch and softening of Lupton's curve, in units of the noise. */
const stretchInNoise = 14;
const softening = 8;
/** Values of each band, of all windows together: enough to know the sky by. */
const samples = 20_000;

/** The pictures of all windows. Others have their turn between one window and the next. */
async function picturesOf(examples: readonly Example[]): Promise<readonly Rgb[]> {
  const windows: Planes[] = [];
  for (const { planes, width, height } of examples) {
    const [red, green, blue] = planes;
    windows.push([
      squareOf(red, width, height),
      squareOf(green, width, height),
      squareOf(blue, width, height),
    ]);
    await setImmediate();
  }
  const skies = ([0, 1, 2] as const).map((band) => {
    const each = windows.map((planes) => sampleOf(planes[band], samples / examples.length));
    return skyOf(each.flatMap((values) => Array.from(values)));
  });
  // Half of the way (on a logarithmic scale) to bands that are equally noisy: red galaxies stay red.
  const weights = skies.map(({ noise }) => (noise > 0 ? 1 / Math.sqrt(noise) : 1)) as [
    number,
    number,
    number,
  ];
  const noise = Math.hypot(...skies.map((sky, k) => sky.noise * (weights[k] as number))) / 3;
  const minimum = skies.map(({ level }, k) => level * (weights[k] as number) - noise) as [
    number,
    number,
    number,
  ];
  const stretch = noise > 0 ? stretchInNoise * noise : 1;
  const pictures: Rgb[] = [];
  for (const planes of windows) {
    for (const [k, plane] of planes.entries())
      for (let i = 0; i < plane.length; i++) plane[i] = (plane[i] as number) * (weights[k] as number);
    pictures.push(luptonRgb(planes, { minimum, stretch, q: softening }));
    await setImmediate();
  }
  return pictures;
}

function check({ planes, width, height, ny, nx, truth, probability, title }: Example): void {
  const bad = planes.find((plane) => plane.length !== width * height);
  if (bad !== undefined)
    throw new RangeError(`${title}: a band of ${bad.length} pixels, expected ${width} × ${height}`);
  if (truth.length !== ny * nx || probability.length !== ny * nx)
    throw new RangeError(
      `${title}: ${truth.length} cells and ${probability.length} probabilities, expected ${ny} × ${nx}`,
    );
}

/** A plane as `side` × `side` values, the last row first; each is the mean of the pixels it touches. */
function squareOf(plane: Float32Array, width: number, height: number): Float32Array {
  const square = new Float32Array(side * side);
  for (let row = 0; row < side; row++) {
    const [y0, y1] = span(side - 1 - row, height);
    for (let column = 0; column < side; column++) {
      const [x0, x1] = span(column, width);
      let sum = 0;
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += plane[y * width + x] as number;
      square[row * side + column] = sum / ((x1 - x0) * (y1 - y0));
    }
  }
  return square;
}

/** Pixels that a dot touches, of `length` ones along a side. */
function span(dot: number, length: number): readonly [from: number, to: number] {
  const from = Math.floor((dot * length) / side);
  return [from, Math.max(from + 1, Math.ceil(((dot + 1) * length) / side - 1e-9))];
}
