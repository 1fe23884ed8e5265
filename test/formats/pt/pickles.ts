/** Pickles put together opcode by opcode, so that tests can have those that Python never writes. */
export const bytes = (...parts: readonly (Uint8Array | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));

const uint32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};

const uint64 = (value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};

/** The opcodes tests use, by the names of pickletools. */
export const ops = {
  proto: '\x80\x02',
  stop: '.',
  mark: '(',
  tuple: 't',
  emptyTuple: ')',
  tuple1: '\x85',
  emptyList: ']',
  append: 'a',
  appends: 'e',
  emptyDict: '}',
  setItem: 's',
  setItems: 'u',
  reduce: 'R',
  newObject: '\x81',
  build: 'b',
  persistentId: 'Q',
  none: 'N',
  false: '\x89',
  int: (value: number): Buffer => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(BigInt(value));
    return bytes('\x8a\x08', buffer);
  },
  text: (value: string, says = Buffer.byteLength(value)): Buffer =>
    bytes('X', uint32(says), Buffer.from(value)),
  /** BINUNICODE8 and BINBYTES8 with a length of its own. */
  long: (opcode: string, says: number | bigint): Buffer => bytes(opcode, uint64(says)),
  global: (module: string, name: string): Buffer => bytes('c', Buffer.from(`${module}\n${name}\n`)),
  put: (key: number): Buffer => bytes('r', uint32(key)),
  get: (key: number): Buffer => bytes('j', uint32(key)),
} as const;

/** A tensor of float32 as torch pickles it, with whatever numbers it is to claim. */
export function tensorOps({
  count = 2,
  shape = [2],
  stride = [1],
  offset = 0,
  key = '0',
  storage = 'FloatStorage',
}: {
  count?: number;
  shape?: readonly number[];
  stride?: readonly number[];
  offset?: number;
  key?: string;
  storage?: string;
}): Buffer {
  const counts = (values: readonly number[]): Buffer => bytes(ops.mark, ...values.map(ops.int), ops.tuple);
  return bytes(
    ops.global('torch._utils', '_rebuild_tensor_v2'),
    ops.mark,
    bytes(ops.mark, ops.text('storage'), ops.global('torch', storage), ops.text(key), ops.text('cpu')),
    bytes(
      ops.int(count),
      ops.tuple,
      ops.persistentId,
      ops.int(offset),
      counts(shape),
      counts(stride),
      ops.false,
    ),
    bytes(ops.global('collections', 'OrderedDict'), ops.emptyTuple, ops.reduce, ops.tuple, ops.reduce),
  );
}
