import { describe, expect, it } from 'vitest';
import { checkedOptions } from '../../src/config/options.js';
import { field, type OptionsInput, stageSpec } from '../../src/config/spec.js';
import { hashOf, identityChanges, identityOf } from '../../src/engine/identity.js';
import { declare, type OperatorDefinition } from '../../src/engine/stage.js';

const spec = stageSpec('render', { takes: null, gives: 'SkyImage' }, 'Draws.', {
  psf: field.group(
    {
      fwhm: field.distribution({ default: 0.9, unit: 'arcsec', doc: 'Seeing.' }),
      beta: field.optional(field.number({ doc: 'Angle.' })),
      optics: field.group({ defocus: field.number({ default: 0, doc: 'Waves.' }) }, { doc: 'Optics.' }),
    },
    { doc: 'PSF.' },
  ),
  threads: field.int({ default: 1, doc: 'Threads.' }),
});
const definition = { spec, operational: ['threads'] } as unknown as OperatorDefinition;
const identify = (options: OptionsInput<typeof spec>) =>
  identityOf([declare(definition, checkedOptions(spec, options))], []);
const asStored = (identity: ReturnType<typeof identify>) => JSON.parse(JSON.stringify(identity));

describe('the identity of a run', () => {
  it('does not depend on how nested options are written', () => {
    const written = identify({ psf: { optics: { defocus: 0 }, fwhm: 0.9, beta: undefined }, threads: 3 });
    expect(hashOf(written)).toBe(hashOf(identify({})));
    expect(hashOf(asStored(written))).toBe(hashOf(written));
    expect(identityChanges(asStored(written), identify({}))).toEqual([]);
  });

  it('changes with an option at any depth, and names it', () => {
    const before = identify({ psf: { beta: 1 } });
    const now = identify({ psf: { fwhm: { uniform: [0.6, 1.1] }, optics: { defocus: 0.2 } } });
    expect(hashOf(now)).not.toBe(hashOf(before));
    expect(identityChanges(asStored(before), now)).toEqual([
      'render.psf.fwhm: 0.9 → not set',
      'render.psf.beta: 1 → not set',
      'render.psf.optics.defocus: 0 → 0.2',
      'render.psf.fwhm.uniform: not set → [0.6,1.1]',
    ]);
  });
});
