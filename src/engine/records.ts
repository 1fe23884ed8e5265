/** The lines of the ledger: one JSON object each, closed by the CRC-32 of its text. */
import { crc32 } from 'node:zlib';
import type { ErrorCode, Outcome } from './errors.js';

export type Detail = Readonly<Record<string, unknown>>;

/** First record of a run, and of every later start of it. */
export interface StartRecord {
  readonly type: 'start';
  readonly run: string;
  readonly pipeline: string;
  readonly version: string;
  readonly time: string;
  /** Hash of everything that decides the result. */
  readonly identity_hash: string;
  readonly identity: Detail;
}

export interface ParentRecord {
  readonly type: 'parent';
  readonly item: string;
  readonly children: number;
  readonly detail: Detail;
}

export interface OutcomeRecord {
  readonly type: 'outcome';
  readonly items: readonly string[];
  readonly outcome: Outcome;
  /** Shard that holds the results of items that are `ok`. */
  readonly shard?: string;
  readonly stage?: string;
  readonly attempt?: number;
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly hint?: string;
  /** Of an item that is not divided: its `area_square_degrees`, where it is, what it was made from. */
  readonly detail?: Detail;
}

export interface ShardRecord {
  readonly type: 'shard';
  readonly shard: string;
  /** Relative to the folder of the stage; several, of one item in many forms, are separated by spaces. */
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
}

/** Items whose results are gone, or whose input has changed: they have no outcome any more. */
export interface RedoRecord {
  readonly type: 'redo';
  readonly items?: readonly string[];
  readonly shard?: string;
  readonly reason: string;
}

export type LedgerRecord = StartRecord | ParentRecord | OutcomeRecord | ShardRecord | RedoRecord;

/** A record as a line of the ledger. */
export function encodeRecord(record: LedgerRecord): string {
  const text = JSON.stringify(record);
  return `${text.slice(0, -1)},"crc":"${checksum(text)}"}\n`;
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');
const crcLength = ',"crc":"00000000"}'.length;

/** The record of a line without its newline; undefined when it does not agree with its checksum. */
export function decodeRecord(line: string): LedgerRecord | undefined {
  const text = `${line.slice(0, -crcLength)}}`;
  if (line.length <= crcLength || line.slice(-crcLength) !== `,"crc":"${checksum(text)}"}`) return undefined;
  return JSON.parse(text) as LedgerRecord;
}
