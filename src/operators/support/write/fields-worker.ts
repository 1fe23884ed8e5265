/** The tasks of the threads that put fields on disk: a field in all its forms, and the files that hold many. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { task } from '../../../engine/workers.js';
import { formatDat } from '../../../formats/dat.js';
import { writeDesTile } from '../../../formats/des-tile-writer.js';
import { syncFolderOf, writeWhole } from '../../../formats/durable.js';
import { openFits } from '../../../formats/fits/file.js';
import { closeRegion, openRegion } from '../../../formats/fits/source.js';
import { readTable, type Table } from '../../../formats/fits/table.js';
import { writeFits } from '../../../formats/fits/write/writer.js';
import { filledPlaces, fillPlace, finishPlaces, type RecordPlan } from '../../../formats/pt/places.js';
import type { FieldContent } from './field-content.js';
import {
  catalogFile,
  clustersFile,
  type FieldFiles,
  imageFile,
  ownFiles,
  tileTruthFile,
} from './field-files.js';
import {
  desTile,
  type PlacedCluster,
  type Provenance,
  plainImage,
  surveyClusters,
  tileTruth,
} from './fits-fields.js';
import { describeFields, ptContents, type TileCatalogRules } from './pt-fields.js';

/** The place of a field in a .pt file. */
export interface FieldPlace {
  /** The part file. */
  readonly path: string;
  readonly plan: RecordPlan;
  readonly place: number;
  readonly rules: TileCatalogRules;
}

export interface FieldTask {
  readonly dir: string;
  readonly files: FieldFiles;
  readonly field: FieldContent;
  readonly provenance: Provenance;
  readonly place: FieldPlace | undefined;
}

/**
 * Writes a field in all its forms. Each file is whole and on disk when this returns.
 *
 * @returns bytes of the files that are the field's own
 */
export const writeField = task(({ dir, files, field, provenance, place }: FieldTask): number => {
  const { forms, bands, hasTruth } = files;
  const { id, sources } = field;
  if (forms.includes('dat') && sources !== undefined)
    writeWhole(join(dir, catalogFile(id)), formatDat(sources.table));
  for (const [band, name] of bands.entries()) {
    if (forms.includes('fits'))
      writeFits(join(dir, imageFile(id, name)), plainImage(field, band, provenance));
    if (!forms.includes('des-tiles')) continue;
    makeTileFolder(join(dir, id));
    writeDesTile(dir, desTile(field, band, provenance));
  }
  if (forms.includes('des-tiles') && hasTruth)
    writeFits(join(dir, tileTruthFile(id)), tileTruth(field, provenance));
  if (place !== undefined) fillPlace(place.path, place.plan, place.place, ptContents(field, place.rules));
  return ownFiles(id, files).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0);
});

/** The folder above it is there. */
function makeTileFolder(path: string): void {
  try {
    mkdirSync(path);
    syncFolderOf(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export interface CheckPlaces {
  readonly path: string;
  readonly plan: RecordPlan;
  readonly places: readonly number[];
}

/** Which of these places are filled. */
export const checkPlaces = task(({ path, plan, places }: CheckPlaces): readonly number[] =>
  filledPlaces(path, plan, places),
);

export interface FinishGroup {
  /** What the file is called when it is whole; it lies at the same path with `.part` behind. */
  readonly path: string;
  readonly plan: RecordPlan;
  readonly places: readonly number[];
}

/** Finishes a .pt file. @returns its size */
export const finishGroup = task(({ path, plan, places }: FinishGroup): number =>
  finishPlaces(path, plan, places, describeFields),
);

export interface MergeClusters {
  readonly dir: string;
  readonly tiles: readonly string[];
  readonly provenance: Provenance;
}

export interface Merged {
  readonly rows: number;
  readonly bytes: number;
}

/** Makes one table of the clusters of all tiles, in their order. Holds all clusters. */
export const mergeClusters = task(({ dir, tiles, provenance }: MergeClusters): Merged => {
  const clusters = tiles.flatMap((tile) => readClusters(join(dir, tileTruthFile(tile))));
  const path = join(dir, clustersFile);
  writeFits(path, surveyClusters(clusters, provenance));
  return { rows: clusters.length, bytes: statSync(path).size };
});

function readClusters(path: string): readonly PlacedCluster[] {
  const region = openRegion(path);
  let table: Table;
  try {
    table = readTable(openFits(region), 1);
  } finally {
    closeRegion(region);
  }
  const column = (name: string) => table.columns.find((each) => each.name === name)?.values ?? [];
  const [ids, tiles] = [column('id_str'), column('tile')] as [readonly string[], readonly string[]];
  const number = (name: string, row: number): number => column(name)[row] as number;
  return Array.from({ length: table.rows }, (_, row) => ({
    id: ids[row] as string,
    tile: tiles[row] as string,
    ra: number('ra', row),
    dec: number('dec', row),
    redshift: number('z', row),
    richness: number('richness', row),
    members: number('members', row),
    x: number('x', row),
    y: number('y', row),
    radiusPx: number('radius', row),
  }));
}
