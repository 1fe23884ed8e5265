/** A row for each cell, for whoever wants other scores, or to see where an encoder is wrong. */
import { type RowGroup, type TableColumn, writeTable } from '../../../formats/parquet.js';
import { TanWcs } from '../../../science/wcs.js';
import type { WindowCells } from './window-cells.js';

const columns: readonly TableColumn[] = [
  { name: 'id_str', type: 'string', unit: '', doc: 'name of the window' },
  { name: 'field', type: 'string', unit: '', doc: 'name of the image the window was cut from' },
  { name: 'row', type: 'i32', unit: '', doc: 'row of the cell in its window, from 0' },
  { name: 'column', type: 'i32', unit: '', doc: 'column of the cell in its window, from 0' },
  { name: 'ra', type: 'f64', unit: 'deg', doc: 'right ascension of the centre of the cell, ICRS' },
  { name: 'dec', type: 'f64', unit: 'deg', doc: 'declination of the centre of the cell, ICRS' },
  {
    name: 'probability',
    type: 'f32',
    unit: '',
    doc: 'what the encoder says: that a member of a cluster lies in the cell',
  },
  { name: 'membership', type: 'bool', unit: '', doc: 'the truth: whether one does' },
];

/** Cells that are written, and held, at once. */
const groupCells = 100_000;

/**
 * @param windows in the order of their rows
 * @returns rows
 * @throws the system's errors
 */
export async function writeCells(
  path: string,
  windows: readonly WindowCells[],
  attributes: Readonly<Record<string, string | number>>,
): Promise<number> {
  const { rows } = await writeTable(path, { columns, rows: groups(windows), attributes });
  return rows;
}

function* groups(windows: readonly WindowCells[]): Generator<RowGroup> {
  let [open, cells]: [WindowCells[], number] = [[], 0];
  for (const window of windows) {
    open.push(window);
    cells += window.truth.length;
    if (cells < groupCells) continue;
    yield groupOf(open);
    [open, cells] = [[], 0];
  }
  if (open.length > 0) yield groupOf(open);
}

function groupOf(windows: readonly WindowCells[]): RowGroup {
  const rows = windows.flatMap(rowsOf);
  return Object.fromEntries(columns.map(({ name }) => [name, rows.map((row) => row[name] ?? null)]));
}

type Row = Readonly<Record<string, string | number | boolean | null>>;

function rowsOf({ id, parent, x0, y0, cellPx, nx, wcs, probability, truth }: WindowCells): readonly Row[] {
  const sky = wcs === undefined ? undefined : new TanWcs(wcs);
  const centre = (first: number, cell: number): number => first + (cell + 0.5) * cellPx - 0.5;
  return [...truth].map((isMember, cell) => {
    const [row, column] = [Math.floor(cell / nx), cell % nx];
    const [ra, dec] = sky?.toSky([centre(x0, column), centre(y0, row)]) ?? [null, null];
    const said = probability[cell] as number;
    return { id_str: id, field: parent, row, column, ra, dec, probability: said, membership: isMember > 0 };
  });
}
