/**
 * Reads the pickle in a file of `torch.save` (protocols 2 to 5) without being able to run anything.
 *
 * A pickle is a program for a stack machine that may name and call any function of Python. Here names are only ever
 * compared: those that rebuild tensors (`rebuild.ts`) become descriptions of tensors, all others are refused or, when
 * asked for, become descriptions of themselves. Opcodes: Lib/pickletools.py of CPython.
 */

import { type Item, isNamed, Machine, type PickleLimits } from './machine.js';
import { called, type Foreign, named, storageOf } from './rebuild.js';
import type { PtValue } from './value.js';

export interface UnpickleOptions {
  /** Shown in errors. */
  readonly file: string;
  /** Bytes of the storage with a key; undefined when there is none. */
  readonly storageBytes: (key: string) => number | undefined;
  readonly foreign: Foreign;
  readonly limits?: PickleLimits;
}

/** 4 million values are some 300 MB at worst; a checkpoint of a large network has some ten thousand. */
const usualLimits: PickleLimits = { maxValues: 4_000_000, maxDepth: 500 };
/** A longer integer is no number anybody saved. */
const MAX_INTEGER_BYTES = 256;
const STOP = 0x2e;

/**
 * The value a pickle describes.
 *
 * @throws FormatError `pt_unsafe` (it names something foreign, or unfolds without end), `pt_damaged` (anything else)
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): PtValue {
  const machine = new Machine(bytes, options.file, options.limits ?? usualLimits);
  for (;;) {
    machine.start = machine.position;
    const opcode = machine.byte();
    if (opcode === STOP) return machine.result();
    const operation = operations[opcode];
    if (operation === undefined) {
      throw machine.fault(
        callers.has(opcode) ? 'pt_unsafe' : 'pt_damaged',
        `the pickle has the opcode 0x${opcode.toString(16).padStart(2, '0')}, which torch never writes`,
      );
    }
    operation(machine, options);
  }
}

type Operation = (machine: Machine, options: UnpickleOptions) => void;

/** PERSID, INST, OBJ and the EXTs: ways to reach code that are not even looked at. */
const callers = new Set([0x50, 0x69, 0x6f, 0x82, 0x83, 0x84]);

const operations: Readonly<Record<number, Operation>> = {
  /* PROTO */ 128: (m) => {
    const protocol = m.byte();
    if (protocol > 5) throw m.fault('pt_damaged', `the pickle has protocol ${protocol}, 2 to 5 are read`);
  },
  /* FRAME */ 149: (m) => {
    // A frame only says how much may be read at once; what follows is read byte by byte anyway.
    m.long();
  },

  /* NONE */ 78: (m) => m.push(null),
  /* NEWTRUE */ 136: (m) => m.push(true),
  /* NEWFALSE */ 137: (m) => m.push(false),
  /* BININT */ 74: (m) => m.push(m.take(4).readInt32LE()),
  /* BININT1 */ 75: (m) => m.push(m.byte()),
  /* BININT2 */ 77: (m) => m.push(m.take(2).readUInt16LE()),
  /* LONG1 */ 138: (m) => m.push(integer(m, m.byte())),
  /* LONG4 */ 139: (m) => m.push(integer(m, m.take(4).readInt32LE())),
  /* BINFLOAT */ 71: (m) => m.push(m.take(8).readDoubleBE()),
  /* BINUNICODE */ 88: (m) => m.push(m.take(m.take(4).readUInt32LE()).toString('utf8')),
  /* SHORT_BINUNICODE */ 140: (m) => m.push(m.take(m.byte()).toString('utf8')),
  /* BINUNICODE8 */ 141: (m) => m.push(m.take(m.long()).toString('utf8')),
  /* BINSTRING */ 84: (m) => m.push(m.take(m.take(4).readInt32LE()).toString('latin1')),
  /* SHORT_BINSTRING */ 85: (m) => m.push(m.take(m.byte()).toString('latin1')),
  /* BINBYTES */ 66: (m) => m.push(new Uint8Array(m.take(m.take(4).readUInt32LE()))),
  /* SHORT_BINBYTES */ 67: (m) => m.push(new Uint8Array(m.take(m.byte()))),
  /* BINBYTES8 */ 142: (m) => m.push(new Uint8Array(m.take(m.long()))),

  /* EMPTY_TUPLE */ 41: (m) => m.push([]),
  /* TUPLE1 */ 133: (m) => m.push([m.pop()]),
  /* TUPLE2 */ 134: (m) => m.push([m.pop(), m.pop()].reverse()),
  /* TUPLE3 */ 135: (m) => m.push([m.pop(), m.pop(), m.pop()].reverse()),
  /* TUPLE */ 116: (m) => m.push(m.popMark()),
  /* EMPTY_LIST */ 93: (m) => m.push([]),
  /* APPEND */ 97: (m) => append(m, [m.pop()]),
  /* APPENDS */ 101: (m) => append(m, m.popMark()),
  /* EMPTY_DICT */ 125: (m) => m.push(new Map()),
  /* SETITEM */ 115: (m) => setItems(m, [m.pop(), m.pop()].reverse()),
  /* SETITEMS */ 117: (m) => setItems(m, m.popMark()),
  /* EMPTY_SET */ 143: (m) => m.push([]),
  /* ADDITEMS */ 144: (m) => append(m, m.popMark()),
  /* FROZENSET */ 145: (m) => m.push(m.popMark()),

  /* MARK */ 40: (m) => m.mark(),
  /* POP */ 48: (m) => {
    m.pop();
  },
  /* POP_MARK */ 49: (m) => {
    m.popMark();
  },
  /* DUP */ 50: (m) => m.push(m.top()),
  /* BINPUT */ 113: (m) => m.remember(m.byte()),
  /* LONG_BINPUT */ 114: (m) => m.remember(m.take(4).readUInt32LE()),
  /* MEMOIZE */ 148: (m) => m.remember(),
  /* BINGET */ 104: (m) => m.recall(m.byte()),
  /* LONG_BINGET */ 106: (m) => m.recall(m.take(4).readUInt32LE()),

  /* GLOBAL */ 99: (m, { foreign }) => m.push(named(m, m.line(), m.line(), foreign)),
  /* STACK_GLOBAL */ 147: (m, { foreign }) => {
    const name = m.pop();
    const module = m.pop();
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw m.fault('pt_damaged', 'the pickle asks for a name that is no text');
    }
    m.push(named(m, module, name, foreign));
  },
  /* REDUCE */ 82: (m, options) => call(m, m.pop(), options),
  /* NEWOBJ */ 129: (m, options) => call(m, m.pop(), options),
  /* NEWOBJ_EX */ 146: (m, options) => {
    const keywords = m.pop();
    const args = m.pop();
    if (Array.isArray(args)) m.spend(args.length);
    call(m, Array.isArray(args) ? [...args, keywords] : args, options);
  },
  /* BUILD */ 98: (m) => {
    const state = m.pop();
    const object = m.top();
    if (isNamed(object)) object.state = state as PtValue;
    // The attributes of an OrderedDict (state_dict keeps versions of modules there) and of anything else are left out.
    else if (!(object instanceof Map))
      throw m.fault('pt_damaged', 'the pickle gives attributes to what has none');
  },
  /* BINPERSID */ 81: (m, { storageBytes }) => m.push(storageOf(m, m.pop(), storageBytes)),
};

const call = (m: Machine, args: Item, { foreign }: UnpickleOptions): void =>
  m.push(called(m, m.pop(), args, foreign));

/** A little-endian integer in two's complement. */
function integer(m: Machine, length: number): number | bigint {
  if (length > MAX_INTEGER_BYTES) throw m.fault('pt_damaged', `the pickle has an integer of ${length} bytes`);
  const bytes = m.take(length);
  if (length === 0) return 0;
  const hex = Buffer.from(bytes).reverse().toString('hex');
  const value = BigInt.asIntN(8 * length, BigInt(`0x${hex}`));
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

function append(m: Machine, items: readonly Item[]): void {
  const list = m.top();
  if (isNamed(list)) list.items ??= [];
  const into = isNamed(list) ? list.items : list;
  if (!Array.isArray(into)) throw m.fault('pt_damaged', 'the pickle appends to something that is no list');
  for (const item of items) into.push(item);
}

function setItems(m: Machine, items: readonly Item[]): void {
  const dict = m.top();
  if (isNamed(dict)) dict.entries ??= new Map();
  const into = isNamed(dict) ? dict.entries : dict;
  if (!(into instanceof Map))
    throw m.fault('pt_damaged', 'the pickle sets items of something that is no dict');
  if (items.length % 2 !== 0) throw m.fault('pt_damaged', 'the pickle sets a key without a value');
  for (let at = 0; at < items.length; at += 2) into.set(items[at] as Item, items[at + 1] as Item);
}
