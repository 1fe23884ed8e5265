/** Catalogues to draw over an image: `.dat` of the case study, or any FITS table with positions. */
import { EngineError } from '../../engine/errors.js';
import { readDat } from '../../formats/dat.js';
import { type FitsFile, openFits } from '../../formats/fits/file.js';
import { closeRegion, openRegion } from '../../formats/fits/source.js';
import { TableReader } from '../../formats/fits/table.js';
import type { SourceTable } from '../../science/catalog.js';
import type { TanWcs } from '../../science/wcs.js';
import { short } from './colour.js';
import type { ClusterMark, SourceKind, SourceMark } from './marks.js';

export interface CatalogMarks {
  readonly sources: readonly SourceMark[];
  readonly clusters: readonly ClusterMark[];
}

export interface CatalogOptions {
  /** What X and Y call the centre of the first pixel. */
  readonly origin: number;
  readonly wcs: TanWcs | undefined;
}

/**
 * Positions of a catalogue in array coordinates. `.dat` files are placed by X and Y; FITS tables by RA and DEC when the
 * image has coordinates, else by X and Y. A FITS table with a richness is one of clusters.
 *
 * @throws the errors of the formats; EngineError `config_invalid` for a table without positions
 */
export async function readMarks(path: string, options: CatalogOptions): Promise<CatalogMarks> {
  if (path.endsWith('.dat')) return { sources: marksOf(await readDat(path), options.origin), clusters: [] };
  const region = openRegion(path);
  try {
    return fileMarks(openFits(region), path, options);
  } finally {
    closeRegion(region);
  }
}

/** The sources of a catalogue in array coordinates. */
export function marksOf({ count, columns }: SourceTable, origin: number): SourceMark[] {
  return Array.from({ length: count }, (_, i) => ({
    x: (columns.X[i] as number) - origin,
    y: (columns.Y[i] as number) - origin,
    kind: kindOf(columns.MEM[i], columns.SOURCE_TYPE[i]),
  })).filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
}

function kindOf(member: number | undefined, type: number | undefined): SourceKind {
  if ((member ?? 0) > 0) return 'member';
  return type === undefined ? 'source' : type === 0 ? 'star' : 'galaxy';
}

/** What columns are called; the first that is there counts. */
const names = {
  ra: ['RA', 'RAJ2000', 'ALPHA_J2000', 'ALPHAWIN_J2000', 'RA_DEG'],
  dec: ['DEC', 'DEJ2000', 'DECJ2000', 'DELTA_J2000', 'DELTAWIN_J2000', 'DEC_DEG'],
  x: ['X', 'X_IMAGE', 'XWIN_IMAGE'],
  y: ['Y', 'Y_IMAGE', 'YWIN_IMAGE'],
  member: ['MEM', 'MEMBER'],
  type: ['SOURCE_TYPE'],
  richness: ['RICHNESS', 'LAMBDA', 'LAMBDA_CHISQ'],
  members: ['MEMBERS', 'N_MEMBERS', 'NMEM'],
  redshift: ['REDSHIFT', 'Z_LAMBDA', 'Z'],
  radius: ['RADIUS_PX', 'RADIUS_PIX', 'RADIUSPX', 'RADIUS'],
} as const;

/** Units of a radius in arcseconds; any other is pixels. */
const arcsecOf: Readonly<Record<string, number>> = { arcsec: 1, arcmin: 60, deg: 3600 };

function fileMarks(file: FitsFile, path: string, options: CatalogOptions): CatalogMarks {
  const tables = file.hdus.filter(({ kind }) => kind === 'table' || kind === 'ascii-table');
  if (tables.length === 0) {
    const found = file.hdus.map(({ kind }) => kind).join(', ');
    throw new EngineError('config_invalid', `the file holds no table, but: ${found}`, {
      place: { file: path },
      hint: 'a catalogue is a .dat file or a FITS table with RA and DEC, or X and Y',
    });
  }
  const readers = tables.map(({ index }) => new TableReader(file, index));
  const marks = readers
    .map((reader) => tableMarks(new Columns(reader), options))
    .filter((each) => each !== undefined);
  if (marks.length === 0) {
    const found = (readers[0] as TableReader).columns.map(({ name }) => name).slice(0, 12);
    const wanted =
      options.wcs === undefined ? 'X and Y (the image has no sky coordinates)' : 'RA and DEC, or X and Y';
    const message = `the table has the columns ${found.join(', ')}; expected ${wanted}`;
    throw new EngineError('config_invalid', message, {
      place: { file: path },
      hint: 'rename the columns of the positions',
    });
  }
  return {
    sources: marks.flatMap(({ sources }) => sources),
    clusters: marks.flatMap(({ clusters }) => clusters),
  };
}

/** Columns by what they mean, of those with one number in a row. */
class Columns {
  constructor(readonly reader: TableReader) {}

  #info(of: keyof typeof names) {
    const single = this.reader.columns.filter(({ shape }) => shape?.length === 0);
    return names[of].flatMap((each) => single.filter(({ name }) => name.toUpperCase() === each))[0];
  }

  get(of: keyof typeof names): ArrayLike<number> | undefined {
    const info = this.#info(of);
    return info === undefined ? undefined : (this.reader.readColumn(info.name).values as ArrayLike<number>);
  }

  unit(of: keyof typeof names): string {
    return this.#info(of)?.unit ?? '';
  }
}

/** Undefined for a table without positions. */
function tableMarks(columns: Columns, { origin, wcs }: CatalogOptions): CatalogMarks | undefined {
  const [ra, dec, x, y] = [columns.get('ra'), columns.get('dec'), columns.get('x'), columns.get('y')];
  const isOnSky = wcs !== undefined && ra !== undefined && dec !== undefined;
  if (!isOnSky && (x === undefined || y === undefined)) return undefined;
  const place = (row: number): readonly [number, number] =>
    isOnSky
      ? wcs.toPixel([Number(ra[row]), Number(dec[row])])
      : [Number(x?.[row]) - origin, Number(y?.[row]) - origin];
  const rows = Array.from({ length: columns.reader.rows }, (_, row) => ({ row, at: place(row) })).filter(
    ({ at }) => at.every(Number.isFinite),
  );
  const richness = columns.get('richness');
  if (richness === undefined) {
    const [member, type] = [columns.get('member'), columns.get('type')];
    const sources = rows.map(({ row, at: [x, y] }) => ({ x, y, kind: kindOf(member?.[row], type?.[row]) }));
    return { sources, clusters: [] };
  }
  const [redshift, radius, members] = [
    columns.get('redshift'),
    columns.get('radius'),
    columns.get('members'),
  ];
  const arcsec = arcsecOf[columns.unit('radius')];
  const pixels =
    arcsec === undefined || wcs === undefined ? 1 : arcsec / (3600 * Math.sqrt(wcs.pixelAreaSquareDegrees));
  const clusters = rows.map(({ row, at: [x, y] }): ClusterMark => {
    const size =
      members === undefined ? `richness ${short(richness[row] as number)}` : `${members[row]} members`;
    const z = redshift === undefined ? [] : [`z ${(redshift[row] as number).toFixed(2)}`];
    return {
      x,
      y,
      radius: radius === undefined ? undefined : (radius[row] as number) * pixels,
      label: [...z, size].join(', '),
    };
  });
  return { sources: [], clusters };
}
