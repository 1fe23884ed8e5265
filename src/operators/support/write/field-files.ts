/** What the files of a cached field are called, form by form. Paths are relative to the folder of the data set. */

import { desBandPath } from '../../../formats/des-tile-writer.js';

/** The forms a field can be kept in. */
export const fieldForms = ['dat', 'fits', 'pt', 'des-tiles'] as const;
export type FieldForm = (typeof fieldForms)[number];

/** Forms that hold pixels. */
export const imageForms: readonly FieldForm[] = ['fits', 'pt', 'des-tiles'];

/** What decides which files a field has. */
export interface FieldFiles {
  readonly forms: readonly FieldForm[];
  readonly bands: readonly string[];
  /** Whether what is in the fields is known. */
  readonly hasTruth: boolean;
}

export const catalogFile = (id: string): string => `catalogs/${id}.dat`;
export const imageFile = (id: string, band: string): string => `images/${id}_${band}.fits`;
/** Request and attempt of the processing that tiles say they are of: those of DES DR2. */
export const desTag = 'r4907p01';
export const desTileFile = (id: string, band: string): string => desBandPath('', id, desTag, band);
/** Names that make a path of that kind. */
export const isDesTileName = (id: string): boolean => /^[A-Za-z0-9.+-]*[A-Za-z0-9]$/.test(id);
/** Sources and clusters of one tile. */
export const tileTruthFile = (id: string): string => `truth/${id}_truth.fits`;
/** Clusters of all tiles. */
export const clustersFile = 'truth/clusters.fits';
/** What the ledger calls it. */
export const clustersShard = 'truth/clusters';

/** The files that belong to one field alone, in the order they are written. */
export function ownFiles(id: string, { forms, bands, hasTruth }: FieldFiles): readonly string[] {
  return [
    ...(forms.includes('dat') ? [catalogFile(id)] : []),
    ...(forms.includes('fits') ? bands.map((band) => imageFile(id, band)) : []),
    ...(forms.includes('des-tiles') ? bands.map((band) => desTileFile(id, band)) : []),
    ...(forms.includes('des-tiles') && hasTruth ? [tileTruthFile(id)] : []),
  ];
}

/** Folder of the files that hold many fields. */
export const groupFolder = 'file_data';
export const groupName = (group: number): string => `file_data_${group}`;
/** A group while it can still get fields; it has its final name with `.part` behind only while it is being finished. */
export const openGroupFile = (group: number): string => `${groupFolder}/${groupName(group)}.pt.part`;
export const groupFile = (group: number, size: number): string =>
  `${groupFolder}/${groupName(group)}_size_${size}.pt`;

const groupFileName = /^file_data_(\d+)(?:_size_\d+\.pt(?:\.part)?|\.pt\.part)$/;

/** Which group a file is, finished or not; undefined for other files. */
export function groupOfFile(file: string): number | undefined {
  const name = file.startsWith(`${groupFolder}/`) ? file.slice(groupFolder.length + 1) : '';
  const index = groupFileName.exec(name)?.[1];
  return index === undefined ? undefined : Number(index);
}

/** Folders that many fields share. */
export function sharedFolders({ forms, hasTruth }: FieldFiles): readonly string[] {
  return [
    ...(forms.includes('dat') ? ['catalogs'] : []),
    ...(forms.includes('fits') ? ['images'] : []),
    ...(forms.includes('pt') ? [groupFolder] : []),
    ...(forms.includes('des-tiles') && hasTruth ? ['truth'] : []),
  ];
}
