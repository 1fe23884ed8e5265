/** Draws one source at a time: its transform, mode by mode, and from it the pixels of its stamp, eight rows at once. */
import { blockBytes, type Kernels } from './kernels.js';
import { shearSquared } from './psf.js';
import { depthLimit, type PsfModel } from './psf-model.js';
import { hlrPerSigma, type SourceShape, type StampBounds } from './stamp-size.js';
import { TransformPlan } from './transform-plan.js';

/** Eight rows of a stamp of unit flux times `n²`. */
export interface StampRows {
  /** 1-based row of the first of them. */
  readonly y: number;
  /** 1-based column of the first number of a row. */
  readonly x: number;
  /** Numbers of a row; row r begins at `at + r * stride` of `pixels`. */
  readonly stride: number;
  readonly at: number;
  readonly pixels: Float32Array;
}

/** A quadratic form of mode numbers, xx i² + xy i j + yy j². */
interface Form {
  readonly xx: number;
  readonly xy: number;
  readonly yy: number;
}

export class StampMaker {
  readonly #kernels: Kernels;
  readonly #base: number;
  readonly #plans = new Map<number, TransformPlan>();
  #psf: PsfModel | undefined;
  #optics = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#base = kernels.mark();
  }

  /** Takes another PSF; memory of the one before is used again. */
  setPsf(psf: PsfModel): void {
    if (psf === this.#psf) return;
    this.#plans.clear();
    this.#kernels.release(this.#base);
    this.#optics = this.#kernels.allocate(psf.optics.values.byteLength);
    this.#kernels.floats.set(psf.optics.values, this.#optics / 4);
    this.#psf = psf;
  }

  /**
   * Draws the part of a source's stamp that lies within `window`, eight rows at a time. The pixels are the same
   * whatever the window: it decides only which are made. All bounds are 1-based and inclusive.
   *
   * @param n size of the transform, at least that of the stamp
   */
  *draw(source: SourceShape, stamp: StampBounds, window: StampBounds, n: number): Generator<StampRows> {
    const plan = this.#plan(n);
    const { wasm } = this.#kernels;
    const column = Math.floor(source.x);
    const row = Math.floor(source.y);
    plan.setPhases(source.x - column, source.y - row);
    const x = column + 4 * Math.floor((window.xMin - column) / 4);
    const count = 4 * Math.ceil((window.xMax - x + 1) / 4);
    // Rows come in eights counted from the stamp's first, so that partners in a transform are always the same.
    const firstEight = Math.floor((window.yMin - stamp.yMin) / 8);
    const lastEight = Math.floor((window.yMax - stamp.yMin) / 8);
    const blocks = this.#blocks(plan, source);
    const stride = blockBytes * blocks.count;
    const eights = Math.max(1, Math.floor(plan.rowsBytes / (8 * stride)));
    const mask = n - 1;
    for (let first = firstEight; first <= lastEight; first += eights) {
      const last = Math.min(first + eights - 1, lastEight);
      const y = stamp.yMin + 8 * first;
      this.#columns(plan, blocks, (y - row) & mask, 8 * (last - first + 1), stride);
      for (let eight = first; eight <= last; eight++) {
        wasm.transformRows(
          plan.rows + 8 * stride * (eight - first),
          stride,
          blocks.count,
          plan.spectrum,
          plan.other,
          n,
          plan.twiddles,
          (x - column) & mask,
          count,
          plan.pixels,
        );
        const pixels = this.#kernels.floats;
        yield { y: stamp.yMin + 8 * eight, x, stride: count, at: plan.pixels / 4, pixels };
      }
    }
  }

  #plan(n: number): TransformPlan {
    const known = this.#plans.get(n);
    if (known !== undefined) return known;
    const plan = new TransformPlan(this.#kernels, this.#psf as PsfModel, this.#optics, n);
    this.#plans.set(n, plan);
    return plan;
  }

  /** The first pass: all columns that are not zero, each transformed along y; `rows` rows from `first` on are kept. */
  #columns(plan: TransformPlan, blocks: Blocks, first: number, rows: number, stride: number): void {
    const { wasm, floats } = this.#kernels;
    const { galaxy, support } = blocks;
    const { n, spectrum } = plan;
    for (let j = 0; j < blocks.count; j++) {
      floats.fill(0, spectrum / 4, (spectrum + blockBytes * n) / 4);
      const columns = plan.columnsOf(j);
      for (let i = 0; i < columns.length; i++) {
        const kx = columns[i] as number;
        const range = rowsOf(support, kx, plan.reach);
        if (range === undefined) continue;
        const transfer = plan.transfer(j, i, range.low, range.high);
        wasm.addModes(
          spectrum,
          n,
          transfer,
          kx,
          range.low,
          range.high,
          galaxy.across,
          galaxy.along,
          galaxy.slope,
          plan.phaseX,
          plan.phaseY,
          plan.apart,
        );
      }
      wasm.transformColumns(
        spectrum,
        plan.other,
        n,
        plan.twiddles,
        first,
        rows,
        plan.rows + blockBytes * j,
        stride,
      );
    }
  }

  /** How many blocks of columns of the half spectrum the source has, and which modes of them are not negligible. */
  #blocks(plan: TransformPlan, source: SourceShape): Blocks {
    const psf = this.#psf as PsfModel;
    const { hlr, g1, g2 } = source;
    const sigma2 = (hlr / hlrPerSigma) ** 2;
    const shape = shearSquared(g1, g2);
    const half = (sigma2 * plan.step ** 2) / 2;
    const exponent: Form = { xx: half * shape.xx, xy: 2 * half * shape.xy, yy: half * shape.yy };
    const weight = atmosphereWeight(psf, (sigma2 * narrowness(g1, g2)) / 2);
    const scale = weight * plan.step ** 2;
    const support = ellipseOf({
      xx: exponent.xx + scale * psf.atmosphere.xx,
      xy: exponent.xy + 2 * scale * psf.atmosphere.xy,
      yy: exponent.yy + scale * psf.atmosphere.yy,
    });
    let count = plan.n / 8 + 1;
    const isEmpty = (kx: number): boolean => rowsOf(support, kx, plan.reach) === undefined;
    while (count > 1 && plan.columnsOf(count - 1).every(isEmpty)) count--;
    return { count, support, galaxy: ellipseOf(exponent) };
  }
}

/** The same form as a sum of squares, across i² + along (j - slope i)². */
interface Ellipse {
  readonly across: number;
  readonly along: number;
  readonly slope: number;
}

const ellipseOf = ({ xx, xy, yy }: Form): Ellipse => ({
  across: xx - (xy * xy) / (4 * yy),
  along: yy,
  slope: -xy / (2 * yy),
});

interface Blocks {
  readonly count: number;
  /** The galaxy's transform is e to the minus this. */
  readonly galaxy: Ellipse;
  /** Where this exceeds the depth limit, the transform is negligible. */
  readonly support: Ellipse;
}

/** Ratio of the short to the long axis. */
function narrowness(g1: number, g2: number): number {
  const g = Math.hypot(g1, g2);
  return (1 - g) / (1 + g);
}

/**
 * A weight w such that q^(5/6) ≥ w q wherever the transform is not negligible, q being the atmosphere's quadratic
 * form: q^(-1/6) at the largest such q. As the galaxy's own exponent is at least μ q, that q is at most
 * depth / (μ + w), which improves w.
 */
function atmosphereWeight({ k0, axisRatio }: PsfModel, narrowestHalfVariance: number): number {
  if (!Number.isFinite(k0)) return 0;
  const mu = (narrowestHalfVariance * k0 ** 2) / axisRatio;
  let w = depthLimit ** (-1 / 5);
  for (let step = 0; step < 3; step++) w = (depthLimit / (mu + w)) ** (-1 / 6);
  return w;
}

/** The rows at which columns kx … kx + 3 have modes that are not negligible: those of an ellipse. */
function rowsOf(
  { across, along, slope }: Ellipse,
  kx: number,
  reach: number,
): { low: number; high: number } | undefined {
  const nearest = kx > 0 ? kx : Math.min(0, kx + 3);
  const width2 = (depthLimit - across * nearest * nearest) / along;
  if (width2 < 0) return undefined;
  const one = slope * kx;
  const two = slope * (kx + 3);
  const width = Math.sqrt(width2);
  const low = Math.max(-reach, Math.ceil(Math.min(one, two) - width));
  const high = Math.min(reach, Math.floor(Math.max(one, two) + width));
  return low <= high ? { low, high } : undefined;
}
