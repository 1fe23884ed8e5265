/** One picture of one image, written as PNG. */

import { EngineError } from '../../engine/errors.js';
import { type Layer, writePng } from '../../formats/png.js';
import { formatAngle, formatDec, formatRa } from '../../science/angles.js';
import { compassOf, northUp, onPage, Page, type PixelBox, yUp } from '../../science/orientation.js';
import { type ColourBar, type Coloured, colourOf, greyOf, type StretchChoice } from './colour.js';
import { compose, type Figure, type MarkGroup, type MarkLabel, pictureWidth, unitOf } from './figure.js';
import {
  type BandChoice,
  boxOf,
  chooseBands,
  resampleBand,
  type Showable,
  type ShownImage,
} from './image.js';

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
const mostDots = 10_000_000;
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
    const page = layOut(image, box, bands.length, options);
    const unit = unitOf(page.width);
    const values = image.bands.map((_, band) =>
      page.arrange(resampleBand(image, band, box, ...page.gridSides)),
    );
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

/** The page: as wide as asked for, or as large as the scale makes it. */
function layOut(
  image: ShownImage,
  box: PixelBox,
  bands: number,
  { scale, width, hasOverlayBar }: ShowOptions,
): Page {
  const orientation = image.wcs === undefined ? yUp : northUp(image.wcs);
  const [across, down] = orientation.swaps ? [box.height, box.width] : [box.width, box.height];
  const room = pictureWidth(width, (bands === 1 ? 1 : 0) + (hasOverlayBar ? 1 : 0));
  const ratio = scale ?? Math.min(room / across, (mostHeight * room) / down);
  const [u, v] = [across, down].map((side) => Math.max(1, Math.round(side * ratio))) as [number, number];
  if (u * v > mostDots) {
    const message = `the picture would have ${u} × ${v} dots, at most ${mostDots / 1e6} million are drawn`;
    throw new EngineError('config_invalid', message, {
      hint: 'give a smaller --scale or --width, or show a part with --crop x0,y0,width,height',
    });
  }
  return new Page(box, orientation, u, v);
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
