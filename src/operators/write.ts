/** Writes predictions into HDF5 shards, and fields into the files of the case study, so that they are whole or absent. */
import type { CrossProblem } from '../config/field-parts.js';
import { field, type OptionsOf, stageSpec } from '../config/spec.js';
import { operator, type StageBody } from '../engine/stage.js';
import { rowBytesOf } from '../formats/hdf5/layout.js';
import { catalogBands } from '../science/catalog.js';
import type { CatalogFacts, ImageFacts, PredictionFacts } from './support/facts.js';
import type { Catalog, Prediction, Shard, SkyImage } from './support/nouns.js';
import { parallelField } from './support/parallel.js';
import { type FieldForm, fieldForms, imageForms } from './support/write/field-files.js';
import { fieldNeeds, fieldWriter } from './support/write/fields.js';
import { layoutOf, predictionNeeds, predictionWriter } from './support/write/predictions.js';

const formats = ['hdf5', ...fieldForms] as const;
type Format = (typeof formats)[number];

export const writeSpec = stageSpec(
  'write',
  { takes: ['Prediction', 'SkyImage', 'Catalog'], gives: 'Shard' },
  'Writes predictions, or simulated fields, into files that are whole or absent, and in the ledger once they are on disk.',
  {
    format: field.oneOf(
      [
        field.choice(formats, { doc: 'One format.' }),
        field.list(field.choice(fieldForms, { doc: 'A form of fields.' }), {
          min: 1,
          doc: 'Several forms of the same fields.',
        }),
      ],
      {
        default: 'hdf5',
        doc: 'Of predictions, hdf5: the layout of zoobot (item, answer, pass). Of fields, dat: catalogues; fits: an image for each band; pt: images and tile catalogues for torch; des-tiles: files as DES releases them.',
        example: ['dat', 'fits', 'pt'],
      },
    ),
    dir: field.path({ doc: 'Folder of the files.', example: 'runs/y6/predictions' }),
    tiles_per_shard: field.int({
      default: 8,
      min: 1,
      max: 100_000,
      unit: 'tiles',
      doc: 'hdf5: tiles whose windows share one file.',
    }),
    gzip: field.int({
      default: 0,
      min: 0,
      max: 9,
      doc: 'hdf5: compression level; predictions shrink by a tenth and take thirty times as long.',
    }),
    fields_per_file: field.int({
      default: 100,
      min: 1,
      max: 10_000,
      unit: 'fields',
      doc: 'pt: fields that share one file.',
    }),
    tile_size: field.int({
      default: 256,
      min: 1,
      unit: 'px',
      doc: 'pt: side of the tiles of the tile catalogue; the sides of a field are multiples of it.',
    }),
    band: field.choice(catalogBands, {
      default: 'r',
      doc: 'pt: the source of a tile is the brightest in this band.',
    }),
    min_flux: field.number({
      default: 0,
      min: 0,
      unit: 'pmgy',
      doc: 'pt: fainter sources are in no tile catalogue; members of clusters count all the same.',
    }),
    origin: field.number({
      default: 1,
      min: 0,
      max: 1,
      unit: 'px',
      doc: 'pt: X and Y of the centre of the first pixel, as in render.origin; 0.5 counts as BLISS does.',
    }),
    overwrite: field.bool({
      default: false,
      doc: 'Of fields: replace what another run made in this folder. What this run made is kept in any case.',
    }),
    threads: parallelField(
      'Threads',
      'Of fields: how many are written at once; auto takes as many as there are cores.',
    ),
  },
  {
    common: { credit_items: 16, credit_bytes: '16MiB' },
    flow: ({ format }) => {
      const forms = formsOf(format);
      if (forms === undefined) return { takes: 'Prediction' };
      return {
        takes: forms.some((form) => imageForms.includes(form)) ? 'SkyImage' : ['SkyImage', 'Catalog'],
      };
    },
    check: ({ format }) => {
      const forms = formsOf(format) ?? [];
      const twice = forms.find((form, i) => forms.indexOf(form) !== i);
      const problem: CrossProblem = { path: 'format', message: `${twice} is asked for twice` };
      return twice === undefined ? [] : [problem];
    },
  },
);

type WriteOptions = OptionsOf<typeof writeSpec>;

/** The forms fields are written in; undefined for predictions. */
function formsOf(format: Format | readonly FieldForm[]): readonly FieldForm[] | undefined {
  if (typeof format !== 'string') return format;
  return format === 'hdf5' ? undefined : [format];
}

/**
 * @emits      a shard when all its tiles have an outcome and it holds `tiles_per_shard` of them; the files of a field
 *             when they are on disk, a .pt file when its fields have an outcome; the rest on completion
 * @waits      while the disk has not confirmed the batch before; all that arrives meanwhile is written together. Of
 *             fields, while `threads` of them are being written
 * @completes  after upstream completes and the last file is committed; asked to stop, it leaves open files to be taken up again
 * @fails      `disk_full` `write_failed` `out_of_files` (the run; everything committed is kept); `output_exists`
 *             `config_invalid` (nothing starts); `bands_differ` `fits_*` `file_unreadable` (that field only)
 * @order      not kept: files are committed as their tiles are settled; the bytes of a file do not depend on it
 * @memory     the predictions of one group of batches; of fields, 32 MiB a thread
 */
export const write = operator<typeof writeSpec, Prediction | SkyImage | Catalog, Shard>({
  spec: writeSpec,
  operational: ['dir', 'tiles_per_shard', 'gzip', 'overwrite', 'threads'],

  inspect: async (options, incoming) => {
    const forms = formsOf(options.format);
    if (forms === undefined) return predictionNeeds(incoming);
    return fieldNeeds(options, forms, incoming as CatalogFacts | ImageFacts);
  },

  open: async (stage, options: WriteOptions) => {
    const forms = formsOf(options.format);
    const body =
      forms === undefined ? await predictionWriter(stage, options) : await fieldWriter(stage, options, forms);
    // The linter has seen that what flows is what the format takes.
    return body as StageBody<never, Shard> as StageBody<Prediction | SkyImage | Catalog, Shard>;
  },
});

/** Bytes of a shard with so many rows. */
export const bytesOfRows = (facts: PredictionFacts, rows: number): number =>
  rows * (rowBytesOf(layoutOf(facts, {})) + 64);
