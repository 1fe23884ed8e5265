/** One picture of one image, written as PNG. */

import { EngineError } from '../../engine/errors.js';
import { type Layer, writePng } from '../../formats/png.js';
import { formatAngle, formatDec, formatRa } from '../../science/angles.js';
import { compassOf, northUp, onPage, Page, type PixelBox, yUp } from '../../science/orientation.js';
import { type ColourBar, type Coloured, colourOf, greyOf, type StretchChoice } from './colour.js';
import { compose, type Figure, type MarkGroup, type MarkLabel, pictureWidth, unitOf } from './figure.js';
import { type BandChoice, boxOf, chooseBands, reduceBand, type Showable, type ShownImage } from './image.js';

/** What lies over an image, made once it is known where on the page its pixels are. */
export interface Overlay {
  readonly marks: readonly MarkGroup[];
  readonly labels: readonly MarkLabel[];
  /** Dots over the picture, four bytes each. */
  readonly dots?: Uint8Array | undefined;
  readonly bar?: ColourBar | undefined;
  readonly notes?: readonly string[];
}

export interface ShowOptions extends BandChoice, StretchChoice {
  readonly output: string;
  /** Dots of a pixel; undefined when the picture shall fill the width. */
  readonly scale: number | undefined;
  /** Dots of the whole page. */
  readonly width: number;
  readonly crop: PixelBox | undefined;
  readonly palette: boolean;
  /** Whether an overlay will bring a colour bar. */
  readonly hasOverlayBar: boolean;
  readonly overlay: (image: ShownImage, page: Page, unit: number) => Promise<Overlay>;
}

export interface Shown {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Where on the page the image lies. */
  readonly picture: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
}

/** Most dots of a picture: three bands of them are held as numbers. */
const mostDots = 16_000_000;
/** A picture is at most this much higher than wide when it is fitted to a width. */
const mostHeight = 1.3;

/**
 * Shows an image: reads it strip by strip, reduces it while reading, and writes the picture. Holds some 30 bytes per dot.
 *
 * @throws the errors of the formats; EngineError `config_invalid` for what cannot be shown as asked
 */
export async function show(subject: Showable, options: ShowOptions): Promise<Shown> {
  const bands = chooseBands(subject, options);
  const image = await subject.open(bands);
  try {
    const box = boxOf(image, options.crop);
    const { page, factor } = layOut(image, box, bands.length, options);
    const unit = unitOf(page.width);
    const values = image.bands.map((_, band) => {
      const dots = new Page(box, page.orientation, page.width / factor, page.height / factor);
      return dots.arrange(reduceBand(image, band, box, ...dots.gridSides));
    });
    if (values.every((band) => band.every(Number.isNaN)))
      throw new EngineError('config_invalid', 'there is not one finite pixel to show', {
        place: { file: subject.name },
        hint: 'look at another band or crop',
      });
    const { rgb, note, bar } = coloured(values, image, options);
    const over = await options.overlay(image, page, unit);
    const figure: Figure = {
      title: subject.name,
      subtitle: subtitleOf(image, box),
      notes: notesOf(image, box, note, over.notes ?? []),
      page,
      rgb,
      factor,
      overlay: over.dots,
      bars: [bar, over.bar].filter((each) => each !== undefined),
      marks: over.marks,
      labels: over.labels,
      compass: directions(image, page),
      arcsecPerDot: arcsecPerPixel(image, page),
    };
    const png = compose(figure, options.palette);
    const bytes = await writePng(options.output, png);
    const [{ left, top, width, height }] = png.layers as [Layer];
    return {
      path: options.output,
      width: png.width,
      height: png.height,
      bytes,
      picture: { left, top, width, height },
    };
  } finally {
    await image.close();
  }
}

/** The page: reduced to the width, or enlarged by a whole number so that pixels stay squares. */
function layOut(
  image: ShownImage,
  box: PixelBox,
  bands: number,
  { scale, width, hasOverlayBar }: ShowOptions,
): { readonly page: Page; readonly factor: number } {
  const orientation = image.wcs === undefined ? yUp : northUp(image.wcs);
  const [across, down] = orientation.swaps ? [box.height, box.width] : [box.width, box.height];
  const bars = (bands === 1 ? 1 : 0) + (hasOverlayBar ? 1 : 0);
  const room = pictureWidth(width, bars);
  const fitting = Math.min(room / across, (mostHeight * room) / down);
  const wanted = scale ?? fitting;
  const factor = Math.max(1, Math.floor(wanted + 1e-9));
  const ratio = Math.min(1, wanted);
  const sides = [across, down].map((side) => Math.max(1, Math.round(side * ratio)) * factor) as [
    number,
    number,
  ];
  if (sides[0] * sides[1] > mostDots) {
    throw new EngineError(
      'config_invalid',
      `the picture would have ${sides[0]} × ${sides[1]} dots, at most ${mostDots / 1e6} million are drawn`,
      {
        hint: 'give a smaller --scale or --width, or show a part with --crop x0,y0,width,height',
      },
    );
  }
  return { page: new Page(box, orientation, ...sides), factor };
}

function coloured(values: readonly Float32Array[], image: ShownImage, choice: StretchChoice): Coloured {
  if (values.length === 3) return colourOf(values, choice);
  return greyOf(values[0] as Float32Array, choice, image.unit === '' ? 'pixel value' : image.unit);
}

function subtitleOf(image: ShownImage, box: PixelBox): string[] {
  const bands =
    image.bands.length === 3 ? `${image.bands.join(', ')} as red, green, blue` : `band ${image.bands[0]}`;
  const isPart = box.width < image.width || box.height < image.height;
  const pixels = `${box.width} × ${box.height} px${isPart ? ` of ${image.width} × ${image.height}` : ''}`;
  if (image.wcs === undefined) return [bands, pixels];
  const arcsec = 3600 * Math.sqrt(image.wcs.pixelAreaSquareDegrees);
  const [ra, dec] = image.wcs.toSky([box.x + (box.width - 1) / 2, box.y + (box.height - 1) / 2]);
  const size = `${formatAngle(box.width * arcsec)} × ${formatAngle(box.height * arcsec)}`;
  return [
    bands,
    pixels,
    size,
    `${formatRa(ra)} ${formatDec(dec)} ${image.wcs.terms.radesys ?? ''}`.trimEnd(),
  ];
}

function notesOf(image: ShownImage, box: PixelBox, stretch: string, more: readonly string[]): string[] {
  const part = box.width < image.width || box.height < image.height ? [`first pixel ${box.x}, ${box.y}`] : [];
  const where =
    image.wcsNote === undefined ? [] : [image.wcs === undefined ? `y up: ${image.wcsNote}` : image.wcsNote];
  return [stretch, ...part, ...where, ...more];
}

function directions({ wcs }: ShownImage, { orientation }: Page): Figure['compass'] {
  if (wcs === undefined) return undefined;
  const { north, east } = compassOf(wcs);
  return { north: onPage(orientation, ...north), east: onPage(orientation, ...east) };
}

/** At the middle of the page, along its rows. */
function arcsecPerPixel({ wcs }: ShownImage, page: Page): number | undefined {
  if (wcs === undefined) return undefined;
  const [a, b, c, d] = wcs.terms.cd;
  const degrees = page.orientation.swaps ? Math.hypot(b, d) : Math.hypot(a, c);
  return (3600 * degrees) / page.dotsPerPixel[0];
}
