import { expect, it } from 'vitest';
import {
  formatAngle,
  formatDec,
  formatRa,
  roundAngle,
  roundNumber,
  ticks,
} from '../../src/science/angles.js';

it('writes positions, and carries what rounds up', () => {
  expect(formatRa(0.3475)).toBe('00h01m23.4s');
  expect(formatRa(359.99999)).toBe('00h00m00.0s');
  expect(formatDec(-5.68334)).toBe('−05°41′00″');
  expect(formatDec(-0.0001)).toBe('−00°00′00″');
  expect(formatDec(59.99999)).toBe('+60°00′00″');
});

it('writes angles in the unit that suits them', () => {
  expect([0.263, 12, 134.656, 2630, 5400].map(formatAngle)).toEqual([
    '0.26″',
    '12″',
    '2.2′',
    '43.8′',
    '1.5°',
  ]);
});

it('finds round angles and numbers at or below', () => {
  expect([0.3, 1, 29.9, 59, 60, 700, 4000].map(roundAngle)).toEqual([0.2, 1, 20, 30, 60, 600, 3600]);
  expect([1, 1.9, 2, 4.99, 5, 99, 1000, 0.03].map(roundNumber)).toEqual([1, 1, 2, 2, 5, 50, 1000, 0.02]);
});

it('marks a scale with round numbers inside it', () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(-3.7, 11.2, 5)).toEqual([0, 5, 10]);
  expect(ticks(2, 2, 5)).toEqual([2]);
});
