/**
 * The tasks of the thread that scores: it alone has the journal. What it was told to append is on disk when it answers.
 * Scores are made of the journal alone, so that it does not matter in how many starts it was filled.
 */
import { join } from 'node:path';
import { task } from '../../../engine/workers.js';
import { removeIfThere, writeWhole } from '../../../formats/durable.js';
import { Journal } from '../../../formats/journal.js';
import { type FilterSources, RedSequenceFilter } from '../../../science/scores/matched-filter.js';
import { writeCells } from './cells-table.js';
import { type Provenance, type ScoresDocument, type ScoringOptions, scoresDocument } from './document.js';
import { drawScores } from './picture.js';
import { decodeCells, encodeCells, type WindowCells } from './window-cells.js';

/** What is known of a window once it has been encoded. */
export interface EncodedWindow extends Omit<WindowCells, 'counts'> {
  /** For the matched filter; undefined leaves it out. */
  readonly sources: FilterSources | undefined;
  /** X and Y of the centre of the first pixel of the image. */
  readonly origin: number;
}

export interface ScoreRequest {
  /** Folder of the results. */
  readonly into: string;
  /** Windows that the ledger knows: a kill may have left others in the journal. */
  readonly known: ReadonlySet<string>;
  readonly options: ScoringOptions;
  readonly provenance: Provenance;
}

export interface Scored {
  readonly fields: number;
  readonly cells: number;
}

export const journalPath = (into: string): string => join(into, 'cells.journal');
export const resultPath = (into: string, name: 'scores.json' | 'scores.png' | 'cells.parquet'): string =>
  join(into, name);

let journal: Journal | undefined;
const filter = new RedSequenceFilter();

/** Opens the journal of a run, or begins it; that of another run is done with. Says which windows are in it. */
export const takeUp = task(({ into, run }: { readonly into: string; readonly run: string }): Set<string> => {
  let open = Journal.open(journalPath(into), { run });
  if (open.description.run !== run) {
    open.remove();
    open = Journal.open(journalPath(into), { run });
  }
  journal = open;
  return new Set([...open.replay()].map((payload) => decodeCells(payload).id));
});

/** Keeps the cells of windows. When this returns they are on disk. */
export const append = task((windows: readonly EncodedWindow[]): void => {
  const kept = opened();
  kept.append(windows.map((window) => encodeCells(cellsOf(window))));
  kept.sync();
});

function cellsOf({ sources, origin, ...window }: EncodedWindow): WindowCells {
  return {
    ...window,
    counts: sources === undefined ? new Uint8Array(0) : filter.counts(sources, { ...window, origin }),
  };
}

/** Makes the tables and the picture of all windows that are known; of none, removes those that are there. */
export const score = task(
  async ({ into, known, options, provenance }: ScoreRequest): Promise<Scored | undefined> => {
    const last = new Map<string, WindowCells>();
    for (const payload of opened().replay()) {
      const window = decodeCells(payload);
      if (known.has(window.id)) last.set(window.id, window);
    }
    if (last.size === 0) {
      for (const name of ['scores.json', 'scores.png', 'cells.parquet'] as const)
        removeIfThere(resultPath(into, name));
      return undefined;
    }
    const windows = [...last.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const document = scoresDocument(windows, options, provenance);
    const cells = await writeCells(resultPath(into, 'cells.parquet'), windows, attributesOf(document));
    await drawScores(into, document);
    // Last, because it is what says that the others are whole.
    writeWhole(resultPath(into, 'scores.json'), `${JSON.stringify(document, null, 2)}\n`);
    return { fields: document.scores.fields, cells };
  },
);

/** Closes the journal. */
export const release = task((): void => {
  journal?.close();
  journal = undefined;
});

function opened(): Journal {
  if (journal === undefined) throw new Error('the journal is not open');
  return journal;
}

const attributesOf = ({
  run,
  skypass_version,
  config_sha256,
  encoder,
  encoder_sha256,
  encoder_trained,
}: ScoresDocument) => ({
  run,
  skypass_version,
  config_sha256,
  encoder,
  encoder_sha256,
  encoder_trained: encoder_trained ? 1 : 0,
});
