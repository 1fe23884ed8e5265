import { defineConfig } from 'vitest/config';
import { TallyReporter } from './test/support/tally-reporter.js';

export default defineConfig({
  test: {
    include: ['test/**/*.slow.test.ts'],
    reporters: ['default', new TallyReporter()],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
  },
});
