/** What is drawn over a picture: sources and clusters of catalogues, grids, cells. */
import { box, circle } from '../../formats/chart/svg.js';
import { windowGrid } from '../../operators/support/tile/window-grid.js';
import type { Page, PixelBox } from '../../science/orientation.js';
import { ink, plus } from './drawing.js';
import type { MarkGroup, MarkLabel } from './figure.js';

export type SourceKind = 'member' | 'galaxy' | 'star' | 'source';

/** A source in array coordinates of the image. */
export interface SourceMark {
  readonly x: number;
  readonly y: number;
  readonly kind: SourceKind;
}

/** A cluster in array coordinates of the image. */
export interface ClusterMark {
  readonly x: number;
  readonly y: number;
  /** Pixels; undefined when nobody knows. */
  readonly radius: number | undefined;
  readonly label: string;
}

/** Windows of `size` pixels, one every `step`. */
export interface GridChoice {
  readonly size: number;
  readonly step: number;
}

const styles = [
  { kind: 'galaxy', one: 'galaxy', many: 'galaxies', colour: ink.galaxy, shape: circle },
  { kind: 'source', one: 'source', many: 'sources', colour: ink.galaxy, shape: circle },
  { kind: 'star', one: 'star', many: 'stars', colour: ink.star, shape: plus },
  { kind: 'member', one: 'cluster member', many: 'cluster members', colour: ink.member, shape: circle },
] as const;

/** More marks than this hide the sky, and are told by their number instead. */
const mostLabels = 8;

/**
 * Marks of sources; those outside the picture are left out. In a crowd all but members become small and faint, so that the
 * sky and the members are still seen.
 */
export function sourceGroups(sources: readonly SourceMark[], page: Page, unit: number): MarkGroup[] {
  const placed = sources
    .map(({ x, y, kind }) => ({ kind, at: page.place(x, y) }))
    .filter(({ at }) => page.holds(...at));
  const room = Math.sqrt((page.width * page.height) / Math.max(1, placed.length)) / unit;
  const isCrowded = room < 42;
  const radius = isCrowded ? Math.max(2, 0.17 * room) : Math.min(11, 0.3 * room);
  return styles.flatMap(({ kind, one, many, colour, shape }) => {
    const own = placed.filter((each) => each.kind === kind);
    if (own.length === 0) return [];
    const isMember = kind === 'member';
    const r = unit * (isMember ? Math.max(6.5, radius) : kind === 'star' ? 0.8 * radius : radius);
    return [
      {
        label: `${own.length} ${own.length === 1 ? one : many}`,
        colour,
        outlines: own.map(({ at: [u, v] }) => shape(u, v, r)).join(''),
        ...(isCrowded && !isMember ? { width: 1, opacity: 0.5 } : { width: 1.8 }),
        sample: shape,
      },
    ];
  });
}

/** Rings of clusters, and a label for each when they are few. */
export function clusterMarks(
  clusters: readonly ClusterMark[],
  page: Page,
  unit: number,
): { readonly groups: MarkGroup[]; readonly labels: MarkLabel[] } {
  const [dots] = page.dotsPerPixel;
  const placed = clusters
    .map(({ x, y, radius, label }) => ({
      at: page.place(x, y),
      r: Math.max(14 * unit, (radius ?? 0) * dots),
      label,
    }))
    .filter(({ at, r }) => page.holds(...at, r));
  if (placed.length === 0) return { groups: [], labels: [] };
  const group: MarkGroup = {
    label:
      placed.length === 1
        ? '1 true cluster and its radius'
        : `${placed.length} true clusters and their radii`,
    colour: ink.cluster,
    outlines: placed.map(({ at: [u, v], r }) => circle(u, v, r)).join(''),
    width: 2.2,
    dash: `${9 * unit} ${6 * unit}`,
    sample: circle,
  };
  const labels = placed.map(({ at: [u, v], r, label }) => ({ words: label, u, v: v - r - 8 * unit }));
  return {
    groups: [group],
    labels: placed.length > mostLabels ? [] : labels.filter(({ words }) => words !== ''),
  };
}

/** Outlines of windows whose first pixels are known. */
export function windowGroup(windows: readonly PixelBox[], page: Page, label: string): MarkGroup[] {
  const outlines = outlinesOf(windows, page);
  return outlines === ''
    ? []
    : [{ label, colour: ink.window, outlines, opacity: 0.55, width: 1.4, sample: square }];
}

/** Fine lines between cells of `size` pixels. */
export function cellGroup(cells: readonly PixelBox[], page: Page, label: string): MarkGroup[] {
  const outlines = outlinesOf(cells, page);
  return outlines === ''
    ? []
    : [{ label, colour: ink.cell, outlines, opacity: 0.22, width: 0.9, sample: square }];
}

/** Cells that hold a member of a cluster. */
export function membershipGroup(cells: readonly PixelBox[], page: Page): MarkGroup[] {
  const outlines = outlinesOf(cells, page);
  if (outlines === '') return [];
  return [
    {
      label: `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'} with a cluster member`,
      colour: ink.member,
      outlines,
      fill: 0.16,
      opacity: 0.9,
      width: 1.8,
      sample: square,
    },
  ];
}

const square = (x: number, y: number, r: number): string => box(x - r, y - r, 2 * r, 2 * r);

function outlinesOf(boxes: readonly PixelBox[], page: Page): string {
  return boxes
    .map((each) => page.placeBox(each))
    .filter(
      ([left, top, width, height]) =>
        left < page.width && top < page.height && left + width > 0 && top + height > 0,
    )
    .map((placed) => box(...placed))
    .join('');
}

/** The windows that `tile` would cut, the last ones ending with the image. */
export const windowBoxes = (width: number, height: number, { size, step }: GridChoice): PixelBox[] =>
  windowGrid(width, height, size, step, 'align')
    .flat()
    .map(({ x0, y0 }) => ({ x: x0, y: y0, width: size, height: size }));

/** Cells side by side; the last ones are cut to the image. */
export function cellBoxes(width: number, height: number, size: number): PixelBox[] {
  const starts = (length: number) => Array.from({ length: Math.ceil(length / size) }, (_, i) => i * size);
  return starts(height).flatMap((y) =>
    starts(width).map((x) => ({
      x,
      y,
      width: Math.min(size, width - x),
      height: Math.min(size, height - y),
    })),
  );
}
