import type { RunRecord } from '../../src/pipelines/execute.js';

/** The record of a run that is over, with nothing to tell but what is given. */
export const runRecord = (facts: Partial<RunRecord> & Pick<RunRecord, 'run' | 'pipeline'>): RunRecord => ({
  file: `${facts.pipeline}.yaml`,
  overrides: [],
  cwd: '/',
  version: '0',
  node: '20',
  config_sha256: '',
  config: {},
  started: '',
  ended: '',
  end: 'complete',
  exit_code: 0,
  seconds: 60,
  units: { whole: 'fields', part: undefined },
  encoder_untrained: false,
  ...facts,
});
