import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeCredit, joinLeases, type Lease, MemoryBudget } from '../../src/engine/credit.js';

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol('pending');
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
};

describe('EdgeCredit', () => {
  it('gives as many places as it has items', () => {
    const edge = new EdgeCredit({ items: 2, bytes: 1000 });
    expect([edge.tryReserve(1), edge.tryReserve(1), edge.tryReserve(1)]).toEqual([true, true, false]);
  });

  it('counts bytes beside items', () => {
    const edge = new EdgeCredit({ items: 10, bytes: 100 });
    expect([edge.tryReserve(60), edge.tryReserve(60)]).toEqual([true, false]);
  });

  it('admits one item of any size when it is empty, so that it can never close for good', () => {
    const edge = new EdgeCredit({ items: 1, bytes: 10 });
    expect(edge.tryReserve(5000)).toBe(true);
  });

  it('serves in order of asking: a small item does not overtake a large one', async () => {
    const edge = new EdgeCredit({ items: 3, bytes: 100 });
    edge.tryReserve(60);
    edge.tryReserve(40);
    const large = edge.reserve(80);
    const small = edge.reserve(10);
    edge.giveBack(40);
    expect(await settled(small)).toBe(false);
    edge.giveBack(60);
    expect([await settled(large), await settled(small)]).toEqual([true, true]);
  });

  it('leaves the line when the signal aborts', async () => {
    const edge = new EdgeCredit({ items: 1, bytes: 100 });
    edge.tryReserve(1);
    const controller = new AbortController();
    const first = edge.reserve(1, controller.signal);
    const second = edge.reserve(1);
    controller.abort(new Error('stop'));
    await expect(first).rejects.toThrow('stop');
    edge.giveBack(1);
    expect(await settled(second)).toBe(true);
  });
});

describe('MemoryBudget', () => {
  it('refuses reserves that do not fit and names the smallest memory that would do', () => {
    const budget = new MemoryBudget(3 * 2 ** 20);
    budget.account('tile', { reserved: 2 * 2 ** 20, rank: 0 });
    expect(() => budget.account('encode', { reserved: 2 * 2 ** 20, rank: 1 })).toThrow(
      expect.objectContaining({ code: 'memory_too_small', hint: 'use memory=4MiB or more' }),
    );
  });

  it('keeps the reserve of one account from another', async () => {
    const budget = new MemoryBudget(100);
    const tile = budget.account('tile', { reserved: 10, rank: 0 });
    const encode = budget.account('encode', { reserved: 40, rank: 1 });
    expect(tile.tryAcquire(60)?.bytes).toBe(60);
    expect(tile.tryAcquire(1)).toBeUndefined();
    expect(encode.tryAcquire(40)?.bytes).toBe(40);
  });

  it('refuses what only upstream could make room for, since upstream waits for it', async () => {
    const budget = new MemoryBudget(100);
    const read = budget.account('read', { reserved: 10, rank: 0 });
    const tile = budget.account('tile', { reserved: 20, rank: 1 });
    read.tryAcquire(30);
    // 70 are shared, 20 of them are held upstream.
    await expect(tile.acquire(71)).rejects.toMatchObject({
      code: 'item_too_large',
      hint: 'use memory=1MiB or more',
    });
    expect((await tile.acquire(70)).bytes).toBe(70);
  });

  it('serves the shared part downstream first', async () => {
    const budget = new MemoryBudget(100);
    const tile = budget.account('tile', { reserved: 0, rank: 0 });
    const encode = budget.account('encode', { reserved: 0, rank: 1 });
    const write = budget.account('write', { reserved: 0, rank: 2 });
    const held = write.tryAcquire(100) as Lease;
    const upstream = tile.acquire(80);
    const downstream = encode.acquire(80);
    held.release();
    expect([await settled(upstream), await settled(downstream)]).toEqual([false, true]);
  });

  it('does not let a stream of small leases starve a large one', async () => {
    const budget = new MemoryBudget(100);
    const tile = budget.account('tile', { reserved: 0, rank: 0 });
    const encode = budget.account('encode', { reserved: 0, rank: 1 });
    const write = budget.account('write', { reserved: 0, rank: 2 });
    const small = write.tryAcquire(30) as Lease;
    const large = encode.acquire(90);
    expect(tile.tryAcquire(1)).toBeUndefined();
    small.release();
    expect((await large).bytes).toBe(90);
  });

  it('lets an account hold at most what it may, while others go on', async () => {
    const budget = new MemoryBudget(1000);
    const tile = budget.account('tile', { reserved: 10, rank: 1, most: 30 });
    const read = budget.account('read', { reserved: 0, rank: 1 });
    const held = [tile.tryAcquire(10), tile.tryAcquire(20)];
    expect(tile.tryAcquire(1)).toBeUndefined();
    const waiting = tile.acquire(15);
    const other = read.acquire(100);
    held[0]?.release();
    expect([await settled(waiting), await settled(other)]).toEqual([false, true]);
    held[1]?.release();
    expect((await waiting).bytes).toBe(15);
  });

  it('lets an account hold one item larger than what it may', () => {
    const budget = new MemoryBudget(1000);
    expect(budget.account('tile', { reserved: 10, rank: 1, most: 30 }).tryAcquire(400)?.bytes).toBe(400);
  });

  it('refuses an item that could never fit, with its size and the key to change', async () => {
    const budget = new MemoryBudget(2 ** 20);
    const tile = budget.account('tile', { reserved: 0, rank: 0 });
    await expect(tile.acquire(2 ** 21)).rejects.toMatchObject({
      code: 'item_too_large',
      hint: 'use memory=2MiB or more',
    });
  });

  it('has every byte back after any order of taking, waiting, aborting and releasing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ account: fc.nat(2), bytes: fc.integer({ min: 0, max: 70 }), abort: fc.boolean() }),
          { maxLength: 40 },
        ),
        async (steps) => {
          const budget = new MemoryBudget(100);
          const accounts = [10, 20, 30].map((reserved, rank) =>
            budget.account(`a${rank}`, { reserved, rank }),
          );
          const leases: Lease[] = [];
          const waits: Promise<void>[] = [];
          for (const { account, bytes, abort } of steps) {
            const controller = new AbortController();
            waits.push(
              (accounts[account] as (typeof accounts)[0]).acquire(bytes, controller.signal).then(
                (lease) => void leases.push(lease),
                () => {},
              ),
            );
            if (abort) controller.abort();
            await Promise.resolve();
            expect(budget.inUse).toBeLessThanOrEqual(100);
            if (bytes % 3 === 0) leases.shift()?.release();
          }
          let isDone = false;
          const all = Promise.all(waits).then(() => {
            isDone = true;
          });
          while (!isDone) {
            leases.shift()?.release();
            await new Promise((resolve) => setImmediate(resolve));
          }
          await all;
          for (const lease of leases) lease.release();
          expect(budget.inUse).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('joins leases into one that gives all of them back, once', () => {
    const budget = new MemoryBudget(100);
    const tile = budget.account('tile', { reserved: 0, rank: 0 });
    const joined = joinLeases([tile.tryAcquire(10) as Lease, tile.tryAcquire(20) as Lease]);
    expect(joined.bytes).toBe(30);
    joined.release();
    joined.release();
    expect(budget.inUse).toBe(0);
    expect(budget.peak).toBe(30);
  });
});
