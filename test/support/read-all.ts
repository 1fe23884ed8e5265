/** Reads everything there is at a path, and says what became of it. */
import type { Observable } from 'rxjs';
import { checkedOptions } from '../../src/config/options.js';
import type { OptionsInput } from '../../src/config/spec.js';
import type { Parcel } from '../../src/engine/ports.js';
import type { Run } from '../../src/engine/run.js';
import type { Facts } from '../../src/engine/stage.js';
import { read, readSpec } from '../../src/operators/read.js';
import { tile } from '../../src/operators/tile.js';
import { testRun } from './run.js';
import { copyOf, takeAll } from './take-all.js';

type ReadOptions = OptionsInput<typeof readSpec>;
type ImageOptions = ReadOptions & { readonly from?: Exclude<ReadOptions['from'], 'dat'> };

/** What came out of a chain, how it ended, and why items were set aside. */
async function all<I, T>(chain: (run: Run) => Observable<Parcel<I>>, keep: (value: I) => T) {
  await using own = await testRun({ memoryBytes: 256 << 20 });
  const { run } = own;
  const { taken, summary } = await takeAll(run, chain(run), keep);
  if (run.memory.inUse !== 0) throw new Error(`${run.memory.inUse} bytes are still held`);
  const causes = Object.fromEntries(
    [...run.ledger.items.keys()].map((item) => [item, run.ledger.causeOf(item)]),
  );
  return { taken, summary, causes };
}

export const images = (options: ImageOptions) =>
  all(
    (run) => read(options, run),
    (image) => image,
  );

export const catalogs = (options: Omit<ReadOptions, 'from'>) =>
  all(
    (run) => read({ ...options, from: 'dat' }, run),
    (catalog) => catalog,
  );

/** The windows that lie side by side in the images, NaN as it is. */
export const windows = (options: ImageOptions, size: number) =>
  all((run) => read(options, run).pipe(tile({ size, step: size, nan: 'keep' }, run)), copyOf);

/** What the next stage would be told. */
export async function factsOf(options: ReadOptions): Promise<Facts> {
  await using own = await testRun();
  return (await read.inspect(checkedOptions(readSpec, options), {}, own.run)).facts;
}
