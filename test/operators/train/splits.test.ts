import { describe, expect, it } from 'vitest';
import { setOf, splitItems, splitsPattern } from '../../../src/operators/support/train/splits.js';

describe('splits', () => {
  it('cut percent of the items to whole numbers, as BLISS does', () => {
    expect(splitItems('0:60/60:90/90:100', 7)).toEqual({
      train: { from: 0, to: 4 },
      validation: { from: 4, to: 6 },
      test: { from: 6, to: 7 },
    });
    // int(29 / 100 * 100) is 28 in floating point.
    expect(splitItems('0:29/29:50/50:100', 100).train).toEqual({ from: 0, to: 28 });
  });

  it('may come in any order, leave items out, and leave out an end', () => {
    const splits = splitItems('20:60/:20/80:', 10);
    expect([0, 2, 5, 6, 7, 8, 9].map((item) => setOf(splits, item))).toEqual([
      'validation',
      'train',
      'train',
      undefined,
      undefined,
      'test',
      'test',
    ]);
  });

  it('that leave a set empty are refused, and ones that would do are named', () => {
    expect(() => splitItems('0:60/60:65/65:100', 4)).toThrow(
      expect.objectContaining({
        code: 'splits_invalid',
        message:
          '0:60/60:65/65:100 of 4 items leaves the validation set empty (2 train, 0 validation, 2 test)',
        hint: 'use train.splits=0:50/50:75/75:100, or more items',
      }),
    );
  });

  it.each([3, 4, 5, 9, 11, 101])('that are named in a hint do for %i items', (count) => {
    let hint = '';
    try {
      splitItems('0:100/100:100/100:100', count);
    } catch (error) {
      ({ hint } = error as Error & { hint: string });
    }
    const named = /train\.splits=(\S+),/.exec(hint)?.[1] ?? '';
    expect(named).toMatch(splitsPattern);
    const sizes = Object.values(splitItems(named, count)).map(({ from, to }) => to - from);
    expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(count);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  });

  it('of more than all items are refused', () => {
    expect(() => splitItems('0:60/60:90/90:110', 10)).toThrow(
      expect.objectContaining({
        code: 'splits_invalid',
        message: expect.stringContaining('has 110 percent'),
      }),
    );
  });

  it('need three items', () => {
    expect(() => splitItems('0:60/60:90/90:100', 2)).toThrow(
      expect.objectContaining({ code: 'splits_invalid', hint: expect.stringContaining('3 items or more') }),
    );
  });

  it('that put an item into two sets are refused', () => {
    expect(() => splitItems('0:70/60:90/90:100', 10)).toThrow(
      expect.objectContaining({
        code: 'splits_invalid',
        message: '0:70/60:90/90:100 puts one item into both the train and the validation set',
      }),
    );
  });

  it.each(['0:60/60:90', '60/30/10', '0:60/60:90/90:100/', 'a:b/c:d/e:f'])('%s are none', (text) => {
    expect(text).not.toMatch(splitsPattern);
  });
});
