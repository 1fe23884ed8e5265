/**
 * Which tensors the checkpoint of an encoder holds, and what they are called there.
 *
 * BLISS's own: the class GalaxyClusterEncoder of case_studies/galaxy_clustering/encoder/encoder.py with the networks of
 * case_studies/galaxy_clustering/encoder/convnet.py, and AsinhQuantileNormalizer of bliss/encoder/image_normalizer.py
 * (https://github.com/prob-ml/bliss). Its networks were called `features_net` or `net`.
 */
import type { PtTensor } from '../../formats/pt/value.js';
import { type Family, families, familyNames } from '../families.js';
import { type Architecture, parametersOf } from '../layers.js';
import { buildBlissCatalog, type HeadStyle, headStyles, headTensors, trunk } from './bliss-catalog.js';
import { type Comparison, compareTensors, type WantedTensor } from './compare.js';

/** State that comes with a checkpoint and that no forward pass uses. */
const unused = [
  // How often BatchNorm saw a batch, beside its running means.
  /\.(bn|norm)\.num_batches_tracked$/,
  // The levels of the quantiles; the quantiles themselves are what counts.
  /^image_normalizers?\.(\d+\.)?q$/,
  // Patterns of the checkerboard that BLISS samples catalogues by.
  /^mask_patterns$/,
  // States of torchmetrics, and of the plots of samples.
  /(^|\.)(\w*metrics|sample_image_renders)\./,
  // Weights of losses.
  /(^|\.)(loss|loss_fn|criterion)\./,
];

/** Wrappers of torch.compile and of data-parallel training, and what BLISS and others call the network. */
const wrappers = /(^|\.)(_orig_mod|module)\./g;
const networks = /^(features_net|net|encoder|model)\./;

/** The tensors of a checkpoint by the names used here, without those that no forward pass uses. */
export interface Placed {
  readonly tensors: ReadonlyMap<string, PtTensor>;
  /** Name in the file of each. */
  readonly sources: ReadonlyMap<string, string>;
  readonly ignored: readonly string[];
}

/** Renames the tensors of a checkpoint. Where two would get one name, the second keeps its own. */
export function place(found: ReadonlyMap<string, PtTensor>): Placed {
  const tensors = new Map<string, PtTensor>();
  const sources = new Map<string, string>();
  const ignored: string[] = [];
  for (const [source, tensor] of found) {
    const bare = source
      .replace(wrappers, '$1')
      .replace(networks, '')
      .replace(/^image_normalizer\.(?=[a-z])/, 'image_normalizers.0.')
      // A plain convolution behind the blocks of the backbone.
      .replace(/^backbone\.\d+\.(?=(weight|bias)$)/, 'head.');
    if (unused.some((pattern) => pattern.test(bare))) {
      ignored.push(source);
      continue;
    }
    const name = tensors.has(bare) ? source : bare;
    tensors.set(name, tensor);
    sources.set(name, source);
  }
  return { tensors, sources, ignored };
}

/** Everything an architecture needs from a checkpoint. */
export function wantedBy({ normaliser, layers }: Architecture): readonly WantedTensor[] {
  const { bands, levels } = normaliser;
  const weights = parametersOf(layers).map(({ name, shape }): WantedTensor => {
    const [out = 0, into = 0, height = 0, width = 0] = shape;
    if (shape.length !== 4 || into !== bands * levels.length) return { name, shape };
    // BLISS's Conv3d over (bands, quantiles, y, x) spans all quantiles and is not moved along them: the same sum as a
    // convolution whose channels are the quantiles of the first band, then those of the second …
    return { name, shape, alsoShaped: [[out, bands, levels.length, height, width]] };
  });
  return [{ name: normaliser.name, shape: [levels.length] }, ...weights];
}

/** A network that weights can be placed into. */
export interface Layout extends Pick<Family, 'description' | 'version' | 'memory' | 'build'> {
  readonly name: string;
  readonly wanted: readonly WantedTensor[];
}

const catalogLayout = (style: HeadStyle): Layout => ({
  ...families.bliss,
  name: 'bliss-catalog',
  description: "BLISS's galaxy-clustering encoder with its catalogue network: one logit per 256 px cell.",
  wanted: [...wantedBy(trunk), ...headTensors(style)],
  build: (weights, plan) => buildBlissCatalog(style, weights, plan),
});

const layouts = (): readonly Layout[] => [
  ...familyNames.map((name) => ({ ...families[name], name, wanted: wantedBy(families[name].architecture) })),
  ...headStyles.map(catalogLayout),
];

/** The layout that a checkpoint is of, or comes nearest to: what fits, as a share of all that should and all that is. */
export function nearestLayout(tensors: ReadonlyMap<string, PtTensor>): {
  readonly layout: Layout;
  readonly comparison: Comparison;
} {
  const share = ({ fitting, faults }: Comparison): number => fitting / (fitting + faults.length);
  return layouts()
    .map((layout) => ({ layout, comparison: compareTensors(layout.wanted, tensors) }))
    .reduce((best, one) => (share(one.comparison) > share(best.comparison) ? one : best));
}
