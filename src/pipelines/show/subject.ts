/** From paths to a picture: what is there, and what belongs over it. */
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { EngineError } from '../../engine/errors.js';
import { showableNpy, showablePt, type TileTruth } from './array-files.js';
import { type CatalogMarks, readMarks } from './catalogs.js';
import type { ColourBar } from './colour.js';
import type { MarkGroup } from './figure.js';
import { isFitsName, showableFile, showableFiles, showableTile } from './fits-files.js';
import type { Showable, ShownImage } from './image.js';
import {
  type ClusterMark,
  cellBoxes,
  cellGroup,
  clusterMarks,
  type GridChoice,
  membershipGroup,
  type SourceMark,
  sourceGroups,
  windowBoxes,
  windowGroup,
} from './marks.js';
import { cellsOf, predictionBar, predictionDots } from './predictions.js';
import { imageOfRunItem } from './run-image.js';
import { isRun, type RunItem, readRunItem } from './run-item.js';
import { type Overlay, type Shown, type ShowOptions, show } from './show.js';
import { surveyTruth } from './truth-files.js';

/** What a person asked for. */
export interface ShowRequest extends Omit<ShowOptions, 'output' | 'overlay' | 'hasOverlayBar'> {
  /** Beside nothing: `<name>.png` in the current folder. */
  readonly output: string | undefined;
  readonly catalogs: readonly string[];
  /** What X and Y of catalogues call the centre of the first pixel. */
  readonly origin: number;
  readonly grid: GridChoice | undefined;
  /** Side of a cell, pixels. */
  readonly cells: number | undefined;
  readonly tile: string | undefined;
  readonly field: number | undefined;
  readonly hasMarkers: boolean;
}

/** An image and what is known of it. */
interface Subject {
  readonly image: Showable;
  readonly truth?: TileTruth | undefined;
  readonly run?: RunItem | undefined;
  readonly sources?: readonly SourceMark[];
  readonly clusters?: readonly ClusterMark[];
  /** Catalogues that belong over it without being asked for. */
  readonly catalogs?: readonly string[];
  readonly notes?: readonly string[];
  close?(): Promise<void>;
}

/**
 * Shows FITS files (one band each), a folder or archive of a tile, a field of a `.pt` file, a `.npy` file or a tile of
 * a run.
 *
 * @throws the errors of the formats; EngineError `config_invalid` for what cannot be shown as asked
 */
export async function showPath(paths: readonly string[], request: ShowRequest): Promise<Shown> {
  const subject = await subjectOf(paths, request);
  const { image, run } = subject;
  const windows = request.hasMarkers ? (run?.windows ?? []) : [];
  const bar = windows.length === 0 ? undefined : predictionBar(windows, run?.answer || 'prediction');
  const output = request.output ?? `${image.name.replace(/[^\w.+-]+/g, '_')}.png`;
  try {
    return await show(image, {
      ...request,
      output: resolve(output),
      hasOverlayBar: bar !== undefined,
      overlay: (opened, page, unit) => overlayOf(subject, bar, request, opened, page, unit),
    });
  } finally {
    await subject.close?.();
  }
}

async function subjectOf(
  paths: readonly string[],
  { tile, field, band, origin }: ShowRequest,
): Promise<Subject> {
  const [first] = paths as [string];
  if (paths.length > 1) {
    const other = paths.find((path) => !isFitsName(path));
    if (other === undefined) return { image: showableFiles(paths) };
    throw refused(other, 'several files are shown as the bands of one image, and this is no FITS file');
  }
  const info = await stat(first);
  if (info.isDirectory() && isRun(first)) {
    const run = await readRunItem(first, tile);
    return { ...(await imageOfRunItem(run, origin)), run };
  }
  if (info.isDirectory() || /\.zip$/i.test(first))
    return { image: await showableTile(first, tile), catalogs: surveyTruth(first) };
  if (isFitsName(first)) {
    const all = showableFiles(paths);
    const image = all.bands.length < 3 && band === undefined ? showableFile(first) : all;
    return { image, catalogs: surveyTruth(dirname(first)) };
  }
  if (/\.(pt|pth)$/i.test(first)) {
    const image = await showablePt(first, field);
    return { image, truth: image.truth, sources: image.truth?.sources ?? [] };
  }
  if (first.endsWith('.npy')) return { image: await showableNpy(first) };
  if (first.endsWith('.dat'))
    throw refused(
      first,
      'a catalogue is drawn over an image',
      `skypass show IMAGE --catalog ${basename(first)}`,
    );
  throw refused(first, 'the name ends like nothing that can be shown');
}

const refused = (
  file: string,
  message: string,
  hint = 'name .fits or .fits.fz files, a tile folder, a .pt or .npy file, or the folder of a run',
): EngineError => new EngineError('config_invalid', message, { place: { file }, hint });

async function overlayOf(
  subject: Subject,
  bar: ColourBar | undefined,
  { hasMarkers, grid, cells, catalogs, origin }: ShowRequest,
  ...[image, page, unit]: Parameters<ShowOptions['overlay']>
): Promise<Overlay> {
  const { truth, run, sources = [], clusters = [] } = subject;
  if (!hasMarkers) return { marks: [], labels: [], notes: notesOf(subject) };
  const { width, height } = image;
  const found: CatalogMarks[] = [{ sources, clusters }];
  for (const path of catalogs) found.push(await readMarks(path, { origin, wcs: image.wcs }));
  const asked = catalogs.map((path) => resolve(path));
  const unasked: string[] = [];
  for (const path of subject.catalogs ?? []) {
    if (asked.includes(resolve(path))) continue;
    const own = marksWithin(image, await readMarks(path, { origin, wcs: image.wcs }));
    if (own.sources.length + own.clusters.length > 0)
      unasked.push(`truth from ${basename(dirname(path))}/${basename(path)}`);
    found.push(own);
  }
  const windows = run?.windows ?? [];
  const marks: MarkGroup[] = [];
  marks.push(
    ...cellGroup(windows.filter(({ ny, nx }) => ny * nx > 1).flatMap(cellsOf), page, 'cells of the encoder'),
  );
  marks.push(
    ...windowGroup(
      windows.map(({ box }) => box),
      page,
      `${windows.length} window${windows.length === 1 ? '' : 's'} of ${windows[0]?.box.width} px`,
    ),
  );
  if (truth !== undefined) {
    marks.push(...cellGroup(truth.cells, page, `tiles of ${truth.tileSize} px`));
    marks.push(...membershipGroup(truth.members, page));
  }
  if (cells !== undefined) {
    refuseFineGrid(cells, image);
    marks.push(...cellGroup(cellBoxes(width, height, cells), page, `cells of ${cells} px`));
  }
  if (grid !== undefined) {
    refuseFineGrid(grid.step, image);
    const words = `windows of ${grid.size} px, one every ${grid.step}`;
    marks.push(...windowGroup(windowBoxes(width, height, grid), page, words));
  }
  marks.push(
    ...sourceGroups(
      found.flatMap((each) => each.sources),
      page,
      unit,
    ),
  );
  const rings = clusterMarks(
    found.flatMap((each) => each.clusters),
    page,
    unit,
  );
  return {
    marks: [...marks, ...rings.groups],
    labels: rings.labels,
    dots: bar === undefined ? undefined : predictionDots(windows, page, bar),
    bar,
    notes: [
      ...(truth === undefined ? [] : ['sources: the brightest of each tile']),
      ...unasked,
      ...notesOf(subject),
    ],
  };
}

/** What of a catalogue lies in the image: one of a survey has the sky around it too. */
function marksWithin({ width, height }: ShownImage, { sources, clusters }: CatalogMarks): CatalogMarks {
  const isWithin = ({ x, y }: { readonly x: number; readonly y: number }): boolean =>
    x >= -0.5 && y >= -0.5 && x < width - 0.5 && y < height - 0.5;
  return { sources: sources.filter(isWithin), clusters: clusters.filter(isWithin) };
}

/** Lines nearer than this hide the image, and take more memory than it. */
const mostLines = 40_000;

function refuseFineGrid(side: number, { width, height }: ShownImage): void {
  const count = Math.ceil(width / side) * Math.ceil(height / side);
  if (count <= mostLines) return;
  const message = `a square every ${side} pixels makes ${count} of them, at most ${mostLines} are drawn`;
  throw new EngineError('config_invalid', message, { hint: 'choose a larger --grid or --cells' });
}

function notesOf({ run, notes = [] }: Subject): readonly string[] {
  if (run === undefined) return notes;
  const windows = run.isDivided && run.windows.length === 0 ? ', without any prediction yet' : '';
  return [
    ...notes,
    `run ${run.run}${windows}`,
    ...(run.isTrained || run.windows.length === 0
      ? []
      : ['the encoder is UNTRAINED: its numbers mean nothing']),
  ];
}
