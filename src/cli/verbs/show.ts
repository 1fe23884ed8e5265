import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { formatBytes } from '../../config/units.js';
import type { GridChoice } from '../../pipelines/show/marks.js';
import type { PixelBox } from '../../science/orientation.js';
import { exit, finish, print } from '../output.js';

interface ShowFlags {
  readonly output?: string;
  readonly bands?: readonly string[];
  readonly band?: string;
  readonly stretch?: number;
  readonly q?: number;
  readonly min?: number;
  readonly weights?: readonly number[];
  readonly scale?: number;
  readonly width: number;
  readonly crop?: PixelBox;
  readonly catalog: readonly string[];
  readonly origin: number;
  readonly grid?: GridChoice;
  readonly cells?: number;
  readonly tile?: string;
  readonly field?: number;
  readonly markers: boolean;
  readonly palette: boolean;
}

function numberFrom(text: string, isFine: (value: number) => boolean, expected: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value) && isFine(value)) return value;
  throw new InvalidArgumentError(`expected ${expected}.`);
}

const anyNumber = (text: string) => numberFrom(text, () => true, 'a number');
const positive = (text: string) => numberFrom(text, (value) => value > 0, 'a number above 0');
const notNegative = (text: string) => numberFrom(text, (value) => value >= 0, 'a number of at least 0');
const whole = (least: number, most: number) => (text: string) =>
  numberFrom(
    text,
    (value) => Number.isInteger(value) && value >= least && value <= most,
    `a whole number from ${least} to ${most}`,
  );
const pixels = whole(1, 100_000);

function threeBands(text: string): readonly string[] {
  const bands = text.split(',').map((band) => band.trim());
  if (bands.length === 3 && bands.every((band) => band !== '')) return bands;
  throw new InvalidArgumentError(
    'expected three bands for red, green and blue, such as i,r,g; --band shows one.',
  );
}

function threeNumbers(text: string): readonly number[] {
  const numbers = text.split(',').map((part) => positive(part));
  if (numbers.length === 3) return numbers;
  throw new InvalidArgumentError('expected three numbers for red, green and blue, such as 1,1,1.');
}

function cropBox(text: string): PixelBox {
  const [x, y, width, height] = text
    .split(',')
    .map((part) => numberFrom(part, Number.isInteger, 'whole numbers'));
  if (
    x !== undefined &&
    y !== undefined &&
    width !== undefined &&
    height !== undefined &&
    text.split(',').length === 4
  )
    return { x, y, width, height };
  throw new InvalidArgumentError(
    'expected first column, first row, width and height, such as 3000,3000,900,700.',
  );
}

function grid(text: string): GridChoice {
  const [size, step, ...rest] = text.split('/');
  if (rest.length > 0) throw new InvalidArgumentError('expected size/step, such as 2560/2480.');
  return { size: pixels(size ?? ''), step: pixels(step ?? size ?? '') };
}

const mostCatalogs = 16;
function addCatalog(path: string, before: readonly string[]): readonly string[] {
  if (before.length < mostCatalogs) return [...before, path];
  throw new InvalidArgumentError(`at most ${mostCatalogs} catalogues are drawn.`);
}

export function addShow(program: Command): void {
  program
    .command('show')
    .description(
      'Draw an image, a tile or a field of a run as PNG: North up, with scale, grids, catalogues and predictions.',
    )
    .argument('<paths...>', 'FITS files, a tile folder, a .pt or .npy file, or the folder of a run')
    .option('-o, --output <file>', 'where to write; <name>.png here by default')
    .option('--bands <r,g,b>', 'bands for red, green and blue (default: i,r,g)', threeBands)
    .option('--band <band>', 'one band in grey')
    .option('--stretch <value>', 'Lupton asinh stretch, in the unit of the image', positive)
    .option('--q <value>', 'asinh softening', notNegative)
    .option('--min <value>', 'what is black', anyNumber)
    .option('--weights <r,g,b>', 'factors of the three bands; balanced by default', threeNumbers)
    .option('--scale <factor>', 'dots of a pixel: 2 enlarges, 0.5 reduces', positive)
    .option('--width <dots>', 'width of the picture with its frame', whole(240, 8000), 1200)
    .option('--crop <x0,y0,w,h>', 'a part of the image, in pixels from 0', cropBox)
    .option(
      '--catalog <file>',
      'sources or clusters to mark: .dat or a FITS table; more than one may be given',
      addCatalog,
      [],
    )
    .option(
      '--origin <number>',
      'what X and Y of a catalogue call the centre of the first pixel',
      anyNumber,
      1,
    )
    .option('--grid <size/step>', 'outlines of windows, such as 2560/2480', grid)
    .option('--cells <size>', 'lines between cells of this many pixels', pixels)
    .option('--tile <name>', 'which tile of a survey or run')
    .option('--field <number>', 'which field of a .pt file, from 0', whole(0, 1e9))
    .option('--no-markers', 'nothing over the image but scale and compass')
    .option('--palette', 'write 256 colours: a third of the bytes', false)
    .action(async (paths: readonly string[], flags: ShowFlags) => {
      await finish(async () => {
        // Only this verb needs the drawing library, which takes longer to load than the others to start.
        const { showPath } = await import('../../pipelines/show/subject.js');
        const { path, width, height, bytes } = await showPath(paths, {
          output: flags.output,
          bands: flags.bands,
          band: flags.band,
          stretch: flags.stretch,
          q: flags.q,
          minimum: flags.min,
          weights: flags.weights,
          scale: flags.scale,
          width: flags.width,
          crop: flags.crop,
          catalogs: flags.catalog,
          origin: flags.origin,
          grid: flags.grid,
          cells: flags.cells,
          tile: flags.tile,
          field: flags.field,
          hasMarkers: flags.markers,
          palette: flags.palette,
        });
        print(`${path}: ${width} × ${height}, ${formatBytes(bytes)}`);
        return exit.complete;
      });
    });
}
