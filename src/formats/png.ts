/** PNG files, put together from layers. */
import { writeWhole } from './durable.js';

/** Dots of a layer and where its first one lies on the page. */
export interface Layer {
  /** Three bytes a dot, or four with opacity, row by row from the top. */
  readonly dots: Uint8Array;
  readonly channels: 3 | 4;
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
}

export interface PngPage {
  readonly width: number;
  readonly height: number;
  /** `#rrggbb`. */
  readonly background: string;
  readonly layers: readonly Layer[];
  /** A drawing of the size of the page that lies over all layers. */
  readonly svg: string;
  /** A table of 256 colours: a third of the bytes, and hardly visible. */
  readonly palette: boolean;
}

/**
 * Writes a page as PNG; a file that is there already is replaced once the new one is whole.
 *
 * @returns bytes of the file
 * @throws the system's errors
 */
export async function writePng(path: string, page: PngPage): Promise<number> {
  // A native library that takes a tenth of a second to load; most programs that load Skypass never draw.
  const { default: sharp } = await import('sharp');
  const { width, height, background, layers, svg, palette } = page;
  const png = await sharp({ create: { width, height, channels: 3, background } })
    .composite([
      ...layers.map(({ dots, channels, left, top, width, height }) => ({
        input: Buffer.from(dots.buffer, dots.byteOffset, dots.byteLength),
        raw: { width, height, channels },
        left,
        top,
      })),
      { input: Buffer.from(svg), left: 0, top: 0 },
    ])
    .png({ compressionLevel: 9, palette, ...(palette ? { effort: 10, dither: 0.5 } : {}) })
    .toBuffer();
  writeWhole(path, png);
  return png.length;
}
