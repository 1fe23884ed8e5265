import { cp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { skypass } from '../support/cli.js';
import { expectUndisturbed, finishIn, sharedPass, startIn, windowsDone } from '../support/disturbed.js';
import { ledgerLines, runJson } from '../support/results.js';
import { alter } from '../support/survey.js';

const pass = sharedPass(8);

describe('what an interrupted pass left behind, damaged before the next start', () => {
  let interrupted: string;
  const dirs = { count: 0 };

  /** A copy of the interrupted folder. */
  const copied = async (): Promise<string> => {
    const dir = join(pass.undisturbed.folder, `damaged-${dirs.count++}`);
    await cp(interrupted, dir, { recursive: true });
    return dir;
  };
  /** Starts again, and expects that something was done again and the results are right. */
  const expectMended = async (dir: string, redone: string): Promise<void> => {
    const { code, err } = await finishIn(dir, pass.undisturbed);
    expect(code, err).toBe(0);
    const reasons = (await ledgerLines(dir)).flatMap(({ type, reason }) => (type === 'redo' ? reason : []));
    expect(reasons).toEqual([expect.stringContaining(redone)]);
    await expectUndisturbed(dir, pass.undisturbed);
  };

  beforeAll(async () => {
    // A kill may come when a journal holds but what the ledger does not know yet: nothing would be lost with it.
    for (let attempt = 0; attempt === 0 || (attempt < 10 && (await knownIn(interrupted)) < 10); attempt++) {
      interrupted = join(pass.undisturbed.folder, `interrupted-${attempt}`);
      const cli = startIn(interrupted, pass.undisturbed);
      await cli.until(async () => (await windowsDone(interrupted)) > pass.undisturbed.windows / 2);
      cli.kill('SIGKILL');
      await cli.ended;
    }
    expect((await ledgerLines(interrupted)).filter(({ type }) => type === 'shard').length).toBeGreaterThan(0);
  }, 60_000);

  /** Windows in the first journal that the ledger knows of. */
  const knownIn = async (dir: string): Promise<number> => {
    const name = basename(await journalOf(dir), '.journal');
    const lines = await ledgerLines(dir);
    return lines
      .filter(({ type, shard }) => type === 'outcome' && name.startsWith(String(shard)))
      .reduce((sum, { items }) => sum + (items as string[]).length, 0);
  };

  const journalOf = async (dir: string): Promise<string> => {
    const names = await readdir(join(dir, 'predictions'));
    const name = names.filter((each) => each.endsWith('.journal')).sort()[0];
    return join(dir, 'predictions', name ?? 'none');
  };

  it('goes on from it as it is', async () => {
    const dir = await copied();
    expect((await finishIn(dir, pass.undisturbed)).code).toBe(0);
    await expectUndisturbed(dir, pass.undisturbed);
  });

  it('does again what a torn journal has lost', async () => {
    const dir = await copied();
    await alter(await journalOf(dir), (bytes) => bytes.subarray(0, bytes.length / 2));
    await expectMended(dir, '.journal');
  });

  it('does again what stands behind a damaged record of a journal', async () => {
    const dir = await copied();
    await alter(await journalOf(dir), (bytes) => {
      const at = Math.floor(bytes.length / 2);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
      return bytes;
    });
    await expectMended(dir, '.journal');
  });

  it('does again what was in a journal that is gone', async () => {
    const dir = await copied();
    await rm(await journalOf(dir));
    await expectMended(dir, '.journal');
  });

  it('does again what was in a shard that is gone', async () => {
    const dir = await copied();
    await rm(join(dir, 'predictions', 'shard-000000.h5'));
    await expectMended(dir, 'shard-000000.h5 is gone');
  });

  it('does again what was in a shard that was cut short', async () => {
    const dir = await copied();
    await alter(join(dir, 'predictions', 'shard-000000.h5'), (bytes) => bytes.subarray(0, -1000));
    await expectMended(dir, 'shard-000000.h5 has');
  });

  it('keeps what was finished of a tile that has been taken away since, and finishes it when it is back', async () => {
    const dir = await copied();
    const open = (await ledgerLines(dir)).flatMap(({ type, item }) => (type === 'parent' ? [item] : []));
    const tile = join(pass.undisturbed.survey, open.at(-1) as string);
    await rename(tile, `${pass.undisturbed.folder}/away`);
    const { code, err } = await finishIn(dir, pass.undisturbed);
    await rename(`${pass.undisturbed.folder}/away`, tile);
    expect(code, err).toBe(3);
    expect(err).toContain('the tile was begun, and is no longer in the survey');
    expect((await finishIn(dir, pass.undisturbed)).code).toBe(0);
    await expectUndisturbed(dir, pass.undisturbed);
  });

  it('starts a torn last line of the ledger anew', async () => {
    const dir = await copied();
    await alter(join(dir, 'ledger.jsonl'), (bytes) => bytes.subarray(0, -20));
    expect((await finishIn(dir, pass.undisturbed)).code).toBe(0);
    await expectUndisturbed(dir, pass.undisturbed);
  });

  it('refuses a ledger that is damaged in its middle, and changes nothing', async () => {
    const dir = await copied();
    const ledger = join(dir, 'ledger.jsonl');
    await alter(ledger, (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000);
      return bytes;
    });
    const before = await readFile(ledger);
    const { code, err } = await finishIn(dir, pass.undisturbed);
    expect(code).toBe(1);
    expect(err).toMatch(/ledger_damaged: .*ledger\.jsonl:\d+/);
    expect(await readFile(ledger)).toEqual(before);
  });
});

describe('a pass asked to end', () => {
  for (const [signal, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`finishes what is in flight on ${signal}, says how to go on, and goes on`, async () => {
      const dir = join(pass.undisturbed.folder, signal);
      const cli = startIn(dir, pass.undisturbed);
      await cli.until(async () => (await windowsDone(dir)) > 40);
      cli.kill(signal);
      const { code, out, err } = await cli.ended;
      expect(code, err).toBe(exitCode);
      expect(err).toContain(`${signal}: finishing what is in flight`);
      expect(out).toContain('interrupted; the same command goes on from here');
      expect(out).toMatch(/go on {5}skypass run .*des-pass\.yaml .*survey\.path=/);
      expect((await runJson(dir)).end).toBe('interrupted');
      const done = await windowsDone(dir);
      expect(done).toBeLessThan(pass.undisturbed.windows);

      const again = await skypass(['resume', dir, '--metrics-port', '0']);
      expect(again.code, again.err).toBe(0);
      await expectUndisturbed(dir, pass.undisturbed);
    });
  }

  it('ends at once when it is asked a second time', async () => {
    const dir = join(pass.undisturbed.folder, 'twice');
    const cli = startIn(dir, pass.undisturbed);
    await cli.until(async () => (await windowsDone(dir)) > 40);
    cli.kill('SIGTERM');
    cli.kill('SIGTERM');
    const { code, err } = await cli.ended;
    expect(code, err).toBe(143);
    expect((await finishIn(dir, pass.undisturbed)).code).toBe(0);
    await expectUndisturbed(dir, pass.undisturbed);
  });
});
