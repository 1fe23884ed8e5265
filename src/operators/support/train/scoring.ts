/** What the network says of the windows of a set, and how right it is. */
import type { FieldCells } from '../../../science/scores/cells.js';
import { type ScoreOptions, type Scores, scoresOf } from '../../../science/scores/scores.js';
import { type AugmentRules, scoringVisit } from './augment.js';
import type { Lanes } from './lanes.js';
import type { Loaders } from './loaders.js';
import { lossSum, sigmoid } from './objective.js';
import { itemOf } from './splits.js';

export interface ScoringOptions {
  readonly loaders: Loaders;
  readonly lanes: Lanes;
  readonly rules: AugmentRules;
  /** What each kind of noise of the rules is called. */
  readonly noiseNames: readonly string[];
  /** Windows that go through the network at once. */
  readonly rows: number;
  readonly cells: number;
  readonly stopping: AbortSignal;
}

/** What the network says of one window with one kind of noise. */
interface Said extends FieldCells {
  readonly window: string;
  readonly noise: number;
  /** Weighted sum of the cross-entropies of its cells. */
  readonly loss: number;
}

/** Everything the network says of a set. */
export class Verdict {
  readonly #said: readonly Said[];
  readonly #noiseNames: readonly string[];

  constructor(said: readonly Said[], noiseNames: readonly string[]) {
    this.#said = said;
    this.#noiseNames = noiseNames;
  }

  /** Mean over all cells, with all kinds of noise. */
  get loss(): number {
    const cells = this.#said.reduce((sum, { truth }) => sum + truth.length, 0);
    return this.#said.reduce((sum, { loss }) => sum + loss, 0) / cells;
  }

  /** Of all kinds of noise together. */
  scores(options: ScoreOptions): Scores {
    return scoresOf(this.#said, options);
  }

  /** Of each kind of noise by itself, by its name. */
  scoresByNoise(options: ScoreOptions): Readonly<Record<string, Scores>> {
    return Object.fromEntries(
      this.#noiseNames.map((name, noise) => [
        name,
        scoresOf(
          this.#said.filter((each) => each.noise === noise),
          options,
        ),
      ]),
    );
  }

  /** What was said of so many windows with the first kind of noise: those with the most members, then by name. */
  withMostMembers(count: number): readonly { readonly window: string; readonly cells: FieldCells }[] {
    const members = ({ truth }: Said): number => truth.reduce((sum, isMember) => sum + isMember, 0);
    return this.#said
      .filter(({ noise }) => noise === 0)
      .toSorted((a, b) => members(b) - members(a) || (a.window < b.window ? -1 : 1))
      .slice(0, count)
      .map(({ window, ...cells }) => ({ window, cells }));
  }
}

/**
 * Shows the network each window with each kind of noise, always the same. Nothing depends on the number of lanes.
 *
 * @param ids windows in the cache
 * @param weight of cells with members, in the loss
 * @returns undefined when the run is asked to stop before
 */
export async function judge(
  ids: readonly string[],
  weight: number,
  options: ScoringOptions,
): Promise<Verdict | undefined> {
  const { loaders, lanes, rows, noiseNames, stopping } = options;
  const shows = ids.toSorted().flatMap((window) => noiseNames.map((_, noise) => ({ window, noise })));
  const groups: (typeof shows)[] = [];
  for (let i = 0; i < shows.length; i += rows) groups.push(shows.slice(i, i + rows));
  const said: (readonly Said[])[] = [];
  let next = 0;
  const loop = async (): Promise<void> => {
    const images = Array.from({ length: rows }, () => loaders.newImage());
    for (let at = next++; at < groups.length && !stopping.aborted; at = next++) {
      const group = groups[at] as typeof shows;
      const seen = await Promise.all(
        group.map(({ window, noise }, i) =>
          loaders.showAgain(
            window,
            scoringVisit(options.rules, window, noise),
            images[i] as SharedArrayBuffer,
          ),
        ),
      );
      const logits = await lanes.forward(seen.map(({ image }) => image));
      said[at] = group.map((show, i) => {
        const { membership } = seen[i] as (typeof seen)[number];
        const own = logits.subarray(i * membership.length, (i + 1) * membership.length);
        return {
          ...show,
          // Cells of one field belong together, whatever window they are seen in.
          id: itemOf(show.window),
          ny: options.cells,
          nx: options.cells,
          probability: own.map(sigmoid),
          truth: membership,
          loss: lossSum(own, membership, weight),
        };
      });
    }
  };
  // While lanes work, one group more is made ready.
  await Promise.all(Array.from({ length: scoringLoops(lanes.count) }, loop));
  return stopping.aborted ? undefined : new Verdict(said.flat(), noiseNames);
}

/** How many groups are on their way at once. */
export const scoringLoops = (lanes: number): number => lanes + 1;
