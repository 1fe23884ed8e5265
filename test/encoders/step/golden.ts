/** What torch found, see test/fixtures/encoders/step/make_golden.py, and the formulae of its inputs. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

const fixture = (name: string): URL => new URL(`../../fixtures/encoders/step/${name}`, import.meta.url);
const index = JSON.parse(readFileSync(fixture('golden.json'), 'utf8')) as Record<string, [number, number]>;
const bytes = readFileSync(fixture('golden.bin'));
const numbers = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

export function golden(name: string): Float32Array {
  const [offset, length] = index[name] ?? [0, 0];
  if (length === 0) throw new Error(`there is no golden ${name}`);
  return numbers.slice(offset, offset + length);
}

/** Uniform in [-1, 1). */
export function formula(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** That vectors agree to `tolerance` of the length of the expected one. */
export function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(found.length).toBe(expected.length);
  const norm = Math.hypot(...Array.from(expected));
  const distance = Math.hypot(...Array.from(expected, (value, i) => value - (found[i] as number)));
  expect(norm).toBeGreaterThan(0);
  expect(distance / norm).toBeLessThan(tolerance);
}
