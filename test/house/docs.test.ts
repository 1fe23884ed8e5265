import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'vitest';

it('keeps the pages made from the code as the code says', () => {
  execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/docs.mjs'), '--check'], {
    stdio: 'pipe',
  });
});
