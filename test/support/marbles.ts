/** Time and order, drawn: RxJS's TestScheduler with vitest's comparison, and parcels instead of bare values. */
import type { Observable, OperatorFunction } from 'rxjs';
import { map } from 'rxjs';
import { type RunHelpers, TestScheduler } from 'rxjs/testing';
import { expect } from 'vitest';
import { EdgeCredit, joinLeases } from '../../src/engine/credit.js';
import { Parcel } from '../../src/engine/ports.js';

/** Runs a drawing; time in it is virtual. */
export function marbles(draw: (helpers: RunHelpers) => void): void {
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(draw);
}

/** Packs every value into a parcel of no bytes on this edge. */
export function packed<T>(edge: EdgeCredit): OperatorFunction<T, Parcel<T>> {
  return map((value) => {
    edge.tryReserve(0);
    return new Parcel(value, [], joinLeases([]), edge);
  });
}

/** Takes every parcel as it comes, and gives its value. */
export const unpacked = <T>(stream: Observable<Parcel<T>>): Observable<T> =>
  stream.pipe(map((parcel) => parcel.take().value));

export const wideEdge = (): EdgeCredit => new EdgeCredit({ items: 1000, bytes: 1000 });
