/** What `sample` does in the threads: reads the catalogues of the user, and draws fields. */
import { moved, task } from '../../../engine/workers.js';
import {
  type FieldFrame,
  type FieldPrior,
  FieldSampler,
  type SampledField,
} from '../../../science/priors/field.js';
import type { UserBackground, UserClusters } from '../../../science/priors/user-catalogues.js';
import { readBackground, readClusters, type UserTables } from './user-catalogues.js';

/** The catalogues of the user, in memory that all threads share. */
export const readUserCatalogues = task(
  ({
    background,
    members,
    photoZ,
  }: UserTables): {
    readonly background: UserBackground | undefined;
    readonly clusters: UserClusters | undefined;
  } => ({
    background: background && readBackground(background),
    clusters: members && readClusters(members, photoZ),
  }),
);

export interface SampleRequest {
  /** The same for the same prior. */
  readonly key: string;
  readonly prior: FieldPrior;
  readonly frame: FieldFrame;
}

/** The sampler this thread used last: fields of one stage have one prior. */
let current: { readonly key: string; readonly sampler: FieldSampler } | undefined;

/** Draws one field. */
export const sampleCatalog = task(({ key, prior, frame }: SampleRequest): SampledField => {
  if (current?.key !== key) current = { key, sampler: new FieldSampler(prior) };
  const field = current.sampler.sample(frame);
  const buffers = Object.values(field.sources.columns).map(({ buffer }) => buffer as ArrayBuffer);
  return moved(field, buffers);
});
