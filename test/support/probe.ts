/**
 * A consumer driven by hand, for what cannot be drawn in marbles because promises or threads are in it:
 *
 *     probe.request(2); await probe.expect(a, b); await probe.expectSilence();
 *
 * What was not requested stays untaken on its edge, as behind a stage that is busy.
 */
import type { Observable, Subscription } from 'rxjs';
import { expect } from 'vitest';
import type { Parcel } from '../../src/engine/ports.js';
import { settle } from './run.js';

export class Probe<T> implements Disposable {
  readonly #subscription: Subscription;
  readonly #untaken: Parcel<T>[] = [];
  readonly #taken: T[] = [];
  #requested = 0;
  #ended: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(stream: Observable<Parcel<T>>) {
    this.#subscription = stream.subscribe({
      next: (parcel) => {
        this.#untaken.push(parcel);
        this.#serve();
      },
      error: (error) => this.#end({ error }),
      complete: () => this.#end({}),
    });
  }

  /** How many items stand on the edge before the probe. */
  get untaken(): number {
    return this.#untaken.length;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Takes so many items more, now or when they come, and lets go of them at once. */
  request(count: number): void {
    this.#requested += count;
    this.#serve();
  }

  /** The next `count` items that were requested. */
  async next(count: number): Promise<readonly T[]> {
    while (this.#taken.length < count) {
      if (this.#ended !== undefined) {
        expect.fail(
          `the stream ended after ${this.#taken.length} of ${count} items: ${this.#ended.error ?? 'complete'}`,
        );
      }
      await this.#change();
    }
    return this.#taken.splice(0, count);
  }

  /** The next items that were requested are these, in this order. */
  async expect(...values: readonly T[]): Promise<void> {
    expect(await this.next(values.length)).toEqual(values);
  }

  /** Nothing more comes than what was expected, although everything upstream has had its turn. */
  async expectSilence(): Promise<void> {
    await settle();
    expect(this.#taken).toEqual([]);
    expect(this.hasEnded, 'the stream should not have ended').toBe(false);
  }

  async expectCompletion(): Promise<void> {
    while (this.#ended === undefined) await this.#change();
    expect(this.#ended).toEqual({});
    expect(this.#taken, 'items nobody expected').toEqual([]);
  }

  async expectError(match: unknown): Promise<void> {
    while (this.#ended === undefined) await this.#change();
    expect(this.#ended).toMatchObject({ error: match });
  }

  unsubscribe(): void {
    this.#subscription.unsubscribe();
    for (const parcel of this.#untaken.splice(0)) parcel.take().lease.release();
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }

  #serve(): void {
    while (this.#requested > 0 && this.#untaken.length > 0) {
      this.#requested -= 1;
      const held = (this.#untaken.shift() as Parcel<T>).take();
      this.#taken.push(held.value);
      held.lease.release();
    }
    this.#wake();
  }

  #end(end: { readonly error?: unknown }): void {
    this.#ended = end;
    this.#wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
