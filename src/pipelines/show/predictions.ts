/** Predicted probabilities as translucent cells over a picture. */
import type { Page, PixelBox } from '../../science/orientation.js';
import { viridis } from '../../science/stretch.js';
import type { ColourBar } from './colour.js';
import type { WindowPrediction } from './run-item.js';

/** Cells of what is thought empty hide little of the sky, the others more. */
const opacity = (probability: number): number => 0.08 + 0.4 * probability;

/** The cells of a window in the image. */
export function cellsOf({ box, ny, nx }: Pick<WindowPrediction, 'box' | 'ny' | 'nx'>): PixelBox[] {
  const [width, height] = [box.width / nx, box.height / ny];
  return Array.from({ length: ny * nx }, (_, i) => ({
    x: box.x + (i % nx) * width,
    y: box.y + Math.floor(i / nx) * height,
    width,
    height,
  }));
}

/** The scale of predictions: 0 to 1 for probabilities, else what occurs. */
export function predictionBar(windows: readonly WindowPrediction[], answer: string): ColourBar {
  let [low, high] = [0, 1];
  for (const { cells } of windows) {
    for (const value of cells) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  return {
    label: answer,
    colours: viridis,
    limits: [low, high],
    place: (value) => (value - low) / (high - low),
  };
}

/** Dots with opacity; where windows overlap, the mean of what they say. */
export function predictionDots(windows: readonly WindowPrediction[], page: Page, bar: ColourBar): Uint8Array {
  const sums = new Float32Array(page.width * page.height);
  const counts = new Uint16Array(page.width * page.height);
  for (const window of windows) {
    for (const [i, cell] of cellsOf(window).entries()) {
      const value = window.cells[i] as number;
      if (!Number.isFinite(value)) continue;
      const [left, top, width, height] = page.placeBox(cell);
      const [u0, u1] = [Math.max(0, Math.round(left)), Math.min(page.width, Math.round(left + width))];
      const [v0, v1] = [Math.max(0, Math.round(top)), Math.min(page.height, Math.round(top + height))];
      for (let v = v0; v < v1; v++) {
        for (let at = v * page.width + u0; at < v * page.width + u1; at++) {
          sums[at] = (sums[at] as number) + value;
          counts[at] = (counts[at] as number) + 1;
        }
      }
    }
  }
  const dots = new Uint8Array(4 * sums.length);
  for (let i = 0; i < sums.length; i++) {
    if (counts[i] === 0) continue;
    const place = bar.place((sums[i] as number) / (counts[i] as number));
    dots.set(bar.colours(place), 4 * i);
    dots[4 * i + 3] = Math.round(255 * opacity(place));
  }
  return dots;
}
