/** The options of `sample` that name catalogues of real sources, and their columns. */
import type { OutputOfField } from '../../../config/field-parts.js';
import { field } from '../../../config/spec.js';
import { fieldDefaults } from '../../../science/priors/field.js';

const { rules } = fieldDefaults.user;

/** How a column is asked for: its name, and which element of its cells; `none` where it need not be there. */
const column = (value: string, doc: string) =>
  field.string({
    default: value,
    pattern: /^[^\s[\]]+(\[\d+\])?$/,
    form: 'the name of a column, such as MAG_AUTO_I or MAG[3]',
    doc,
  });

const path = field.path({ doc: 'A FITS file with a table.', example: 'catalogues/sva1_gold.fits' });
const hdu = field.int({
  default: 1,
  min: 1,
  doc: 'Which HDU holds the table; the first after the primary is 1.',
});
const magnitudes = {
  g: column('MAG_AUTO_G', 'Magnitude in g.'),
  r: column('MAG_AUTO_R', 'Magnitude in r.'),
  i: column('MAG_AUTO_I', 'Magnitude in i.'),
  z: column('MAG_AUTO_Z', 'Magnitude in z.'),
};

export const backgroundCatalogueField = field.optional(
  field.group(
    {
      path,
      hdu,
      ...magnitudes,
      flux_radius: column('FLUX_RADIUS_R', 'Half-light radius, px; none: drawn from background.sizes.'),
      class_star: column(
        'CLASS_STAR_R',
        '1 for a star, 0 for a galaxy; none: drawn from background.star_fraction.',
      ),
      star_threshold: field.fraction({
        default: rules.star_threshold,
        doc: 'A source whose class_star is this or more is a star.',
      }),
      radius_scale: field.number({
        default: rules.radius_scale,
        min: 1e-6,
        unit: 'arcsec',
        doc: 'Side of the pixels that flux_radius is measured in.',
      }),
    },
    {
      doc: 'Background sources are rows of this catalogue; density, shapes and positions are drawn all the same.',
    },
  ),
);

export const clusterCatalogueField = field.optional(
  field.group(
    {
      path,
      hdu,
      ...magnitudes,
      cluster_id: column('ID', 'Identifier of the cluster a member belongs to.'),
      radius: column('R', 'Projected distance from the centre, Mpc/h.'),
      redshift: column('none', 'Redshift of the member or its cluster; none: from photo_z.'),
      object_id: column('COADD_OBJECTS_ID', 'Identifier of a member in photo_z.'),
      photo_z: field.optional(
        field.group(
          {
            path,
            hdu,
            object_id: column('COADD_OBJECTS_ID', 'Identifier of the object.'),
            redshift: column('Z_MEAN', 'Its photometric redshift.'),
          },
          { doc: 'A catalogue of photometric redshifts that is joined by object id.' },
        ),
      ),
    },
    {
      doc: 'Clusters are those of this catalogue of members, whole; limits, shapes and places are as in clusters.',
      check: ({ redshift, photo_z }) =>
        (redshift === 'none') === (photo_z === undefined)
          ? [
              {
                path: 'redshift',
                message: 'redshifts should come from a column, or from photo_z',
                hint:
                  redshift === 'none' ? 'write redshift: Z, or photo_z: {path: …}' : 'leave one of them out',
              },
            ]
          : [],
    },
  ),
);

export type BackgroundCatalogueOptions = NonNullable<OutputOfField<typeof backgroundCatalogueField>>;
export type ClusterCatalogueOptions = NonNullable<OutputOfField<typeof clusterCatalogueField>>;
