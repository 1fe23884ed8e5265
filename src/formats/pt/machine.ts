/** The stack machine a pickle runs on, with its limits: no pickle makes it take more than they say. */
import { FormatError, type FormatErrorCode } from '../errors.js';
import type { PtNamed, PtStorage, PtTensor, PtValue } from './value.js';

export interface PickleLimits {
  /** Most values pushed and remembered in all, each some tens of bytes. */
  readonly maxValues: number;
  /** Deepest nesting of lists and dicts. */
  readonly maxDepth: number;
}

/** What lies on the stack: values, some of them still being filled. */
export type Item =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PtTensor
  | PtStorage
  | MutableNamed
  | Item[]
  | Map<Item, Item>;

export interface MutableNamed extends PtNamed {
  state: PtValue | undefined;
  items: Item[] | undefined;
  entries: Map<Item, Item> | undefined;
}

export const isNamed = (item: Item): item is MutableNamed =>
  item !== null && typeof item === 'object' && 'kind' in item && item.kind === 'named';

export class Machine {
  /** Next byte of the pickle. */
  position = 0;
  /** Where the operation being done began. */
  start = 0;
  private readonly stack: Item[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, Item>();
  private readonly view: Buffer;
  private made = 0;

  constructor(
    bytes: Uint8Array,
    private readonly file: string,
    private readonly limits: PickleLimits,
  ) {
    this.view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** An error at the operation being done. */
  fault(code: FormatErrorCode & `pt_${string}`, message: string, hint?: string): FormatError {
    return new FormatError(code, `${message} (byte ${this.start} of data.pkl)`, {
      place: { file: this.file },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** The next `length` bytes; no copy. */
  take(length: number): Buffer {
    if (!(length >= 0 && length <= this.view.length - this.position)) {
      const left = this.view.length - this.position;
      throw this.fault('pt_damaged', `the pickle wants ${length} more bytes, ${left} are left`);
    }
    this.position += length;
    return this.view.subarray(this.position - length, this.position);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** A length of 8 bytes; one beyond what a number holds is beyond the pickle too. */
  long(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  /** Text up to the end of the line. */
  line(): string {
    const end = this.view.indexOf(10, this.position);
    if (end < 0) throw this.fault('pt_damaged', 'the pickle ends within a name');
    const text = this.take(end - this.position).toString('utf8');
    this.position = end + 1;
    return text;
  }

  push(item: Item): void {
    this.spend();
    this.stack.push(item);
  }

  pop(): Item {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) {
      throw this.fault('pt_damaged', 'the pickle takes a value that is not there');
    }
    return this.stack.pop() as Item;
  }

  top(): Item {
    const item = this.pop();
    this.stack.push(item);
    return item;
  }

  mark(): void {
    this.spend();
    this.marks.push(this.stack.length);
  }

  /** Everything above the last mark, and the mark. */
  popMark(): Item[] {
    const mark = this.marks.pop();
    if (mark === undefined)
      throw this.fault('pt_damaged', 'the pickle goes back to a mark that is not there');
    return this.stack.splice(mark);
  }

  remember(key = this.memo.size): void {
    this.spend();
    this.memo.set(key, this.top());
  }

  recall(key: number): void {
    const item = this.memo.get(key);
    if (item === undefined)
      throw this.fault('pt_damaged', `the pickle recalls ${key}, which it never stored`);
    this.push(item);
  }

  /** Counts values that are made, those that no opcode pushes too. */
  spend(values = 1): void {
    this.made += values;
    if (this.made > this.limits.maxValues) {
      throw this.fault('pt_unsafe', `the pickle makes more than ${this.limits.maxValues} values`);
    }
  }

  /** The value the pickle made: the one left on the stack, without cycles and within the limits. */
  result(): PtValue {
    const value = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) {
      throw this.fault('pt_damaged', 'the pickle stops with values left over');
    }
    this.measure(value, new Map(), 0);
    return value;
  }

  /**
   * Values in `item` when each is counted wherever it is used: a few lists that hold each other many times over must
   * not keep whoever walks through them busy for ever. `known` is undefined for what is being measured: a cycle.
   */
  private measure(item: Item, known: Map<Item, number | undefined>, depth: number): number {
    if (item === null || typeof item !== 'object' || item instanceof Uint8Array) return 1;
    const before = known.get(item);
    if (before !== undefined) return before;
    if (known.has(item)) throw this.fault('pt_damaged', 'the pickle makes a value that holds itself');
    if (depth > this.limits.maxDepth) {
      throw this.fault('pt_damaged', `the pickle nests values more than ${this.limits.maxDepth} deep`);
    }
    known.set(item, undefined);
    let size = 1;
    for (const child of childrenOf(item)) size += this.measure(child, known, depth + 1);
    if (size > this.limits.maxValues) {
      throw this.fault('pt_unsafe', `the pickle unfolds to more than ${this.limits.maxValues} values`);
    }
    known.set(item, size);
    return size;
  }
}

function* childrenOf(item: Item[] | Map<Item, Item> | PtTensor | PtStorage | MutableNamed): Iterable<Item> {
  if (Array.isArray(item)) yield* item;
  else if (item instanceof Map) {
    for (const [key, value] of item) {
      yield key;
      yield value;
    }
  } else if (item.kind === 'named') {
    yield* (item.args ?? []) as Item[];
    yield* item.items ?? [];
    if (item.state !== undefined) yield item.state as Item;
    if (item.entries !== undefined) yield* childrenOf(item.entries);
  }
}
