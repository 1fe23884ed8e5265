/** The options of `sample` that say what a field is drawn from: every number of the priors, by its name. */
import type { Field } from '../../../config/field-parts.js';
import { field } from '../../../config/spec.js';
import { backgroundDefaults, type ColourCloud } from '../../../science/priors/background.js';
import { clusterDefaults } from '../../../science/priors/clusters.js';
import { fieldDefaults } from '../../../science/priors/field.js';
import type { ClippedLine, MeanSigma } from '../../../science/priors/population.js';

interface Limits {
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
}

const number = (value: number, doc: string, limits: Limits = {}) =>
  field.number({ default: value, doc, ...limits });
const int = (value: number, doc: string, limits: Limits = {}) =>
  field.int({ default: value, doc, ...limits });
const mag = (value: number, doc: string) => number(value, doc, { unit: 'mag' });

/** Two numbers, which the stage sees as a pair. */
const pair = (value: readonly [number, number], doc: string, limits: Limits = {}) =>
  field.list(field.number({ doc: 'One of the two.', ...limits }), {
    default: value,
    min: 2,
    max: 2,
    doc,
  }) as unknown as Field<readonly [number, number], readonly [number, number], 'defaulted'>;

const meanSigma = (value: MeanSigma, doc: string) => pair(value, `${doc}: mean and sigma.`, { unit: 'mag' });

const line = (value: ClippedLine, doc: string, along: string) =>
  field.group(
    {
      value: number(value.value, `Value at the pivot.`),
      pivot: number(value.pivot, `Where that is: ${along}.`),
      slope: number(value.slope, `Change per unit of ${along}.`),
      min: field.fraction({ default: value.min, doc: 'Never less.' }),
      max: field.fraction({ default: value.max, doc: 'Never more.' }),
    },
    { doc },
  );

const cloud = (value: ColourCloud, doc: string) =>
  field.group(
    {
      g_r: meanSigma(value.g_r, 'g - r'),
      r_i: meanSigma(value.r_i, 'r - i'),
      i_z: meanSigma(value.i_z, 'i - z'),
    },
    { doc },
  );

/** A problem when a range is upside down. */
const ascending = <K extends string>(low: K, high: K) => ({
  check: (value: Readonly<Record<K, unknown>>) =>
    Number(value[low]) < Number(value[high])
      ? []
      : [{ path: low, message: `${low} = ${value[low]} should be below ${high} = ${value[high]}` }],
});

const { counts, stars, sizes } = backgroundDefaults;

export const backgroundField = field.group(
  {
    density: number(backgroundDefaults.density, 'Sources per pixel, on average.', { min: 0, max: 1 }),
    counts: field.group(
      {
        brightest: mag(counts.brightest, 'Brightest i magnitude.'),
        faintest: mag(counts.faintest, 'Faintest i magnitude.'),
        slope_bright: number(counts.slope_bright, 'Slope of log10 counts per magnitude of the bright part.'),
        slope_faint: number(counts.slope_faint, 'Slope of log10 counts per magnitude of the faint part.'),
        slope_change: mag(counts.slope_change, 'i magnitude at which the slope changes.'),
        depth: mag(counts.depth, 'i magnitude at which half of the sources are detected.'),
        depth_width: number(counts.depth_width, 'Over how many magnitudes they fade.', {
          min: 1e-3,
          unit: 'mag',
        }),
      },
      { doc: 'Counts by i magnitude.', ...ascending('brightest', 'faintest') },
    ),
    star_fraction: line(
      backgroundDefaults.star_fraction,
      'Probability that a source is a star.',
      'i magnitude',
    ),
    red_fraction: line(backgroundDefaults.red_fraction, 'Probability that a galaxy is red.', 'i magnitude'),
    red: cloud(backgroundDefaults.red, 'Colours of red galaxies.'),
    blue: cloud(backgroundDefaults.blue, 'Colours of blue galaxies, and of blue members.'),
    stars: field.group(
      {
        blue_fraction: field.fraction({
          default: stars.blue_fraction,
          doc: 'Part of the stars that is blue.',
        }),
        blue_g_i: meanSigma(stars.blue_g_i, 'g - i of blue stars'),
        red_g_i: meanSigma(stars.red_g_i, 'g - i of red stars'),
        g_r_slope: number(stars.g_r_slope, 'g - r per g - i up to the knee.'),
        knee: mag(stars.knee, 'g - i of the knee of the locus.'),
        knee_g_r: mag(stars.knee_g_r, 'g - r just above the knee.'),
        knee_slope: number(stars.knee_slope, 'g - r per g - i above the knee.'),
        i_z_start: mag(stars.i_z_start, 'i - z of a star with r - i = 0.'),
        i_z_slope: number(stars.i_z_slope, 'i - z per r - i.'),
        scatter: number(stars.scatter, 'Scatter of each colour.', { min: 0, unit: 'mag' }),
      },
      { doc: 'Colours of stars.' },
    ),
    sizes: field.group(
      {
        galaxy: number(sizes.galaxy, 'Median observed half-light radius of a galaxy at i = 22.', {
          min: 1e-3,
          unit: 'arcsec',
        }),
        slope: number(sizes.slope, 'Change of its natural logarithm per magnitude.'),
        scatter: number(sizes.scatter, 'Scatter of its natural logarithm.', { min: 0 }),
        smallest: number(sizes.smallest, 'Smallest half-light radius of a galaxy.', {
          min: 0,
          unit: 'arcsec',
        }),
        largest: number(sizes.largest, 'Largest half-light radius of a galaxy.', { min: 0, unit: 'arcsec' }),
        star: number(sizes.star, 'Median observed half-light radius of a star.', { min: 0, unit: 'arcsec' }),
        star_scatter: number(sizes.star_scatter, 'Scatter of its natural logarithm.', { min: 0 }),
        point_fraction: field.fraction({
          default: sizes.point_fraction,
          doc: 'Part of the sources whose size was not measured: points.',
        }),
        offset: number(sizes.offset, 'Added to every radius, so that none is zero.', {
          min: 1e-9,
          unit: 'arcsec',
        }),
      },
      { doc: 'Half-light radii.', ...ascending('smallest', 'largest') },
    ),
  },
  { doc: 'Field galaxies and stars.' },
);

const { redshift, richness, profile, luminosity, red_sequence } = clusterDefaults;
const row = (values: readonly number[], doc: string, unit = 'mag') =>
  field.list(field.number({ doc: 'Value of a row.' }), { default: values, min: 1, unit, doc });

const redSequenceField = field.group(
  {
    z: row(red_sequence.z, 'Redshifts of the rows, ascending.', ''),
    m_star: row(red_sequence.m_star, 'Characteristic i magnitude.'),
    g_r: row(red_sequence.g_r, 'g - r of a member at m*.'),
    r_i: row(red_sequence.r_i, 'r - i of a member at m*.'),
    i_z: row(red_sequence.i_z, 'i - z of a member at m*.'),
    scatter_g_r: number(red_sequence.scatter_g_r, 'Scatter of g - r.', { min: 0, unit: 'mag' }),
    scatter_r_i: number(red_sequence.scatter_r_i, 'Scatter of r - i.', { min: 0, unit: 'mag' }),
    scatter_i_z: number(red_sequence.scatter_i_z, 'Scatter of i - z.', { min: 0, unit: 'mag' }),
    slope_g_r: number(red_sequence.slope_g_r, 'Change of g - r per magnitude fainter than m*.'),
    slope_r_i: number(red_sequence.slope_r_i, 'Change of r - i per magnitude fainter than m*.'),
    blue_fraction: line(
      red_sequence.blue_fraction,
      'Part of the members that have the colours of blue background galaxies.',
      'redshift',
    ),
  },
  {
    doc: 'Colours of members: a table by redshift, and what is about it.',
    check: ({ z, m_star, g_r, r_i, i_z }) => {
      const fallen = z.findIndex((value, i) => value <= (z[i - 1] ?? Number.NEGATIVE_INFINITY));
      if (fallen >= 0)
        return [
          {
            path: `z.${fallen}`,
            message: `redshifts should ascend, but ${z[fallen]} follows ${z[fallen - 1]}`,
          },
        ];
      return Object.entries({ m_star, g_r, r_i, i_z })
        .filter(([, values]) => values.length !== z.length)
        .map(([path, values]) => ({
          path,
          message: `${path} has ${values.length} rows, but there are ${z.length} redshifts`,
        }));
    },
  },
);

export const clustersField = field.group(
  {
    count: int(clusterDefaults.count, 'Most clusters in a field.', {
      min: 0,
      max: 100_000,
    }),
    probability: field.fraction({
      default: clusterDefaults.probability,
      doc: 'Probability that each of them is there.',
    }),
    centre: pair(
      clusterDefaults.centre,
      'Centres lie between these fractions of the width, and of the height.',
    ),
    max_diameter: number(
      clusterDefaults.max_diameter,
      'Largest diameter of a cluster: twice the distance of its outermost member. A larger one is drawn again.',
      {
        min: 0,
        unit: 'px',
      },
    ),
    max_tries: int(
      clusterDefaults.max_tries,
      'How often a cluster is drawn before giving up, as the priors contradict each other.',
      {
        min: 1,
      },
    ),
    reach: number(clusterDefaults.reach, 'Members farther outside the image are left out.', {
      min: 0,
      unit: 'px',
    }),
    known_redshifts: field.bool({
      default: clusterDefaults.known_redshifts,
      doc: 'Write the redshift of members into Z of the catalogue; otherwise Z is -1, as in BLISS.',
    }),
    radii: field.choice(['reprojected', 'projected'], {
      default: clusterDefaults.radii,
      doc: 'projected: the profile gives distances on the sky. reprojected: they are projected once more, as BLISS does, which makes clusters denser at the centre.',
    }),
    hlr: field.distribution({
      default: clusterDefaults.hlr,
      min: 1e-6,
      unit: 'arcsec',
      doc: 'Half-light radius of a member.',
    }),
    central_fraction: field.fraction({
      default: clusterDefaults.central_fraction,
      doc: 'Probability that the brightest member is at the centre.',
    }),
    contamination: number(
      clusterDefaults.contamination,
      'Background galaxies that are taken for members, per member.',
      { min: 0, max: 1000 },
    ),
    redshift: field.group(
      {
        min: number(redshift.min, 'Lowest redshift.', { min: 1e-3 }),
        max: number(redshift.max, 'Highest redshift.', { max: 10 }),
        limited: field.bool({
          default: redshift.limited,
          doc: 'Clusters get rare beyond the limit, as in a survey of limited depth.',
        }),
        limit: number(redshift.limit, 'Redshift up to which all clusters are found.'),
        limit_width: number(redshift.limit_width, 'Redshift interval over which they get rare.', {
          min: 1e-3,
        }),
      },
      {
        doc: 'Redshifts: a constant number per comoving volume. Clusters of a catalogue outside the range are left out.',
        ...ascending('min', 'max'),
      },
    ),
    richness: field.group(
      {
        min: number(richness.min, 'Lowest richness.', { min: 0.1 }),
        max: number(richness.max, 'Highest richness.', { max: 1e5 }),
        slope: number(richness.slope, 'Slope of the density λ^slope · exp(-λ / scale).'),
        scale: number(richness.scale, 'Richness scale of that density.', { min: 1e-3 }),
      },
      { doc: 'Richness λ: the expected number of members.', ...ascending('min', 'max') },
    ),
    profile: field.group(
      {
        form: field.choice(['nfw', 'king'], {
          default: profile.form,
          doc: 'Surface density of members by radius.',
        }),
        scale_radius: number(profile.scale_radius, 'Scale radius.', { min: 1e-6, unit: 'Mpc/h' }),
        core_radius: number(profile.core_radius, 'Radius inside which the NFW profile is constant.', {
          min: 1e-6,
          unit: 'Mpc/h',
        }),
        cut_radius: number(profile.cut_radius, 'Radius at which a cluster of richness 100 ends.', {
          min: 1e-6,
          unit: 'Mpc/h',
        }),
        cut_power: number(profile.cut_power, 'That radius grows as (λ / 100)^cut_power.'),
      },
      { doc: 'Projected profile of members.' },
    ),
    luminosity: field.group(
      {
        alpha: number(luminosity.alpha, 'Slope at the faint end.'),
        brighter: mag(luminosity.brighter, 'How much brighter than m* the brightest member may be.'),
        fainter: mag(luminosity.fainter, 'How much fainter than m* the faintest member may be.'),
      },
      {
        doc: 'Schechter function of i magnitudes.',
        check: ({ brighter, fainter }) =>
          -brighter < fainter
            ? []
            : [
                {
                  path: 'fainter',
                  message: `no magnitude lies between m* - ${brighter} and m* + ${fainter}`,
                },
              ],
      },
    ),
    red_sequence: redSequenceField,
  },
  { doc: 'Clusters of galaxies.', ...ascendingPair('centre') },
);

function ascendingPair<K extends string>(key: K) {
  return {
    check: (value: Readonly<Record<K, readonly [number, number]>>) => {
      const [from, to] = value[key];
      return from <= to ? [] : [{ path: key, message: `${from} should not be above ${to}` }];
    },
  };
}

const { shapes, noise, cosmology } = fieldDefaults;

export const shapesField = field.group(
  {
    power: number(shapes.power, 'The density is proportional to exp(-|g / scale|^power).', { min: 0.05 }),
    scale_g1: number(shapes.scale_g1, 'Scale of g1.', { min: 0 }),
    scale_g2: number(shapes.scale_g2, 'Scale of g2.', { min: 0 }),
    largest: number(shapes.largest, 'A component this large is drawn again; as in BLISS, not one of -1.', {
      min: 1e-6,
    }),
    thinnest: number(
      shapes.thinnest,
      'A shear this large is drawn again: one in a million, of sources too long for any image.',
      { min: 1e-6, max: 0.999999 },
    ),
  },
  { doc: 'Shapes of galaxies, as reduced shears g1 and g2.' },
);

const depth = (value: number, band: string) => mag(value, `Magnitude at S/N 10 in ${band}.`);

export const noiseField = field.group(
  {
    enabled: field.bool({
      default: noise.enabled,
      doc: 'Scatter the magnitudes that are drawn; those of catalogues are observed ones already.',
    }),
    floor: number(noise.floor, 'Error that bright sources have, too.', { min: 0, unit: 'mag' }),
    depth_g: depth(noise.depth_g, 'g'),
    depth_r: depth(noise.depth_r, 'r'),
    depth_i: depth(noise.depth_i, 'i'),
    depth_z: depth(noise.depth_z, 'z'),
  },
  { doc: 'Photometric errors of the magnitudes in the catalogue; the noise of pixels belongs to render.' },
);

export const cosmologyField = field.group(
  {
    h0: number(cosmology.h0, 'Hubble constant.', { min: 1, unit: 'km/s/Mpc' }),
    om: number(cosmology.om, 'Density parameter of matter, Ωm.', { min: 0, max: 1 }),
  },
  { doc: 'A flat universe.' },
);
