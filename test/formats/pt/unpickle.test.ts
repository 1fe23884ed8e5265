import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FormatError } from '../../../src/formats/errors.js';
import { type UnpickleOptions, unpickle } from '../../../src/formats/pt/unpickle.js';
import type { PtTensor } from '../../../src/formats/pt/value.js';
import { bytes, ops, tensorOps } from './pickles.js';

/** One storage, `0`, of two float32. */
const options: UnpickleOptions = {
  file: 'file.pt',
  foreign: 'refuse',
  storageBytes: (key) => (key === '0' ? 8 : undefined),
};
const made = (...parts: readonly (Uint8Array | string)[]) =>
  unpickle(bytes(ops.proto, ...parts, ops.stop), options);
const described = (...parts: readonly (Uint8Array | string)[]) =>
  unpickle(bytes(ops.proto, ...parts, ops.stop), { ...options, foreign: 'describe' });
function fault(make: () => unknown): FormatError {
  try {
    make();
  } catch (error) {
    return error as FormatError;
  }
  throw new Error('nothing was refused');
}

/** The storage "0" of two floats. */
const storage = bytes(
  ops.mark,
  ops.text('storage'),
  ops.global('torch', 'FloatStorage'),
  ops.text('0'),
  ops.text('cpu'),
  ops.int(2),
  ops.tuple,
  ops.persistentId,
);

describe('a pickle that would run code', () => {
  const call = (module: string, name: string) =>
    bytes(ops.global(module, name), ops.mark, ops.text('touch /tmp/owned'), ops.tuple, ops.reduce);

  it.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['subprocess', 'Popen'],
    ['torch', 'load'],
    ['torch._utils', '_rebuild_tensor_v2.__globals__'],
    ['torch.serialization', 'FloatStorage'],
    ['collections', 'OrderedDict\0'],
    ['constructor', 'constructor'],
  ])('is refused with the name it asks for: %s.%s', (module, name) => {
    const error = fault(() => made(ops.emptyList, call(module, name), ops.append));
    expect(error).toMatchObject({ code: 'pt_unsafe', place: { file: 'file.pt' } });
    expect(error.message).toContain(`the file asks for ${module}.${name.replace('\0', '\u{fffd}')}`);
    expect(error.message).toContain('(byte 3 of data.pkl)');
  });

  it.each([
    ['numpy.core.multiarray', '_reconstruct'],
    ['torch._utils', '_rebuild_sparse_tensor'],
    ['torch._utils', '_rebuild_qtensor'],
  ])('is refused without an alarm when it is another kind of array: %s.%s', (module, name) => {
    const error = fault(() => made(ops.emptyList, call(module, name), ops.append));
    expect(error).toMatchObject({ code: 'pt_unsafe', hint: expect.stringContaining('dense tensors') });
  });

  it('is refused by any road to a name: STACK_GLOBAL, INST, OBJ, PERSID, EXT', () => {
    const stack = fault(() => made(ops.text('os'), ops.text('system'), '\x93'));
    expect([stack.code, stack.message]).toEqual(['pt_unsafe', expect.stringContaining('os.system')]);
    for (const opcode of ['(ios\nsystem\n', '(oX', 'Pid\n', '\x82\x01', '\x83\x01\0', '\x84\x01\0\0\0']) {
      const error = fault(() => made(opcode));
      expect(error.code).toBe('pt_unsafe');
    }
  });

  it('is refused when it calls a type, or hides a call in what it may call', () => {
    const storage = bytes(ops.global('torch', 'FloatStorage'), ops.emptyTuple);
    for (const opcode of [ops.reduce, ops.newObject]) {
      expect(fault(() => made(storage, opcode))).toMatchObject({ code: 'pt_unsafe' });
    }
    const overwritten = bytes(
      ops.global('torch', 'float32'),
      ops.emptyDict,
      ops.build,
      ops.emptyTuple,
      ops.reduce,
    );
    expect(fault(() => made(overwritten))).toMatchObject({ code: 'pt_unsafe' });
  });
});

describe('a checkpoint with foreign names', () => {
  const partial = bytes(
    ops.global('functools', 'partial'),
    ops.mark,
    ops.global('torch.optim.adam', 'Adam'),
    ops.tuple,
    ops.reduce,
    ops.emptyDict,
    ops.text('lr'),
    ops.int(1),
    ops.setItem,
    ops.build,
  );

  it('is refused unless they may be described, and then nothing is called', () => {
    expect(fault(() => made(partial))).toMatchObject({
      code: 'pt_unsafe',
      message: expect.stringContaining('functools.partial'),
    });
    expect(described(partial)).toEqual({
      kind: 'named',
      name: 'functools.partial',
      args: [
        {
          kind: 'named',
          name: 'torch.optim.adam.Adam',
          args: undefined,
          state: undefined,
          items: undefined,
          entries: undefined,
        },
      ],
      state: new Map([['lr', 1]]),
      items: undefined,
      entries: undefined,
    });
  });

  it('keeps what is put into lists and dicts of their own kind', () => {
    const own = (opcodes: string) => bytes(ops.global('my', 'Kind'), ops.emptyTuple, opcodes);
    expect(described(own(ops.reduce), ops.mark, ops.int(1), ops.int(2), ops.appends)).toMatchObject({
      items: [1, 2],
    });
    expect(described(own(ops.newObject), ops.text('a'), ops.int(2), ops.setItem)).toMatchObject({
      entries: new Map([['a', 2]]),
    });
    expect(described(own(ops.reduce), ops.emptyTuple, ops.reduce)).toMatchObject({ name: 'my.Kind()' });
  });

  it('still has no value that holds itself', () => {
    const looped = bytes(
      ops.global('my', 'Kind'),
      ops.emptyTuple,
      ops.reduce,
      ops.put(0),
      ops.get(0),
      ops.build,
    );
    expect(fault(() => described(looped))).toMatchObject({ code: 'pt_damaged' });
  });
});

describe('a pickle that wants more than there is', () => {
  it.each([
    ['text', ops.text('abc', 0xffffffff)],
    ['text of 8 bytes of length', ops.long('\x8d', 2n ** 63n)],
    ['bytes', ops.long('\x8e', 2n ** 64n - 1n)],
    ['old bytes', bytes('B', Buffer.from([255, 255, 255, 255]))],
    ['old text', bytes('T', Buffer.from([255, 255, 255, 255]))],
    ['an integer', bytes('\x8b', Buffer.from([255, 255, 255, 127]))],
    ['an integer of negative length', bytes('\x8b', Buffer.from([255, 255, 255, 255]))],
    ['a name without end', 'cos'],
    ['a value', ops.append],
    ['a value below a mark', bytes(ops.emptyList, ops.mark, ops.append)],
    ['a mark', ops.tuple],
    ['what it never stored', ops.get(7)],
    ['a key without its value', bytes(ops.emptyDict, ops.mark, ops.int(1), ops.setItems)],
    ['a later protocol', '\x80\x06'],
    ['an opcode that is none', '\xff'],
    ['to append to text', bytes(ops.text('a'), ops.int(1), ops.append)],
    ['items in a list', bytes(ops.emptyList, ops.int(1), ops.int(1), ops.setItem)],
    ['to call a list', bytes(ops.emptyList, ops.emptyTuple, ops.reduce)],
    ['to leave things over', bytes(ops.int(1), ops.int(2))],
    ['attributes for a number', bytes(ops.int(1), ops.int(2), ops.build)],
  ])('is damaged: %s', (_, pickle) => {
    expect(fault(() => made(pickle))).toMatchObject({ code: 'pt_damaged', place: { file: 'file.pt' } });
  });

  it('is damaged wherever it is cut', () => {
    const whole = bytes(ops.proto, tensorOps({}), ops.stop);
    expect(unpickle(whole, options)).toMatchObject({ kind: 'tensor', shape: [2] });
    for (let length = 0; length < whole.length; length++) {
      expect(fault(() => unpickle(whole.subarray(0, length), options))).toMatchObject({ code: 'pt_damaged' });
    }
  });
});

describe('a pickle without end', () => {
  it('is refused when it nests without end', () => {
    const nested = bytes(ops.emptyTuple, ops.tuple1.repeat(100_000));
    expect(fault(() => made(nested))).toMatchObject({
      code: 'pt_damaged',
      message: expect.stringContaining('deep'),
    });
  });

  it('is refused when a value holds itself', () => {
    for (const looped of [
      bytes(ops.emptyList, ops.put(0), ops.get(0), ops.append),
      bytes(ops.emptyDict, ops.put(0), ops.text('a'), ops.get(0), ops.setItem),
      bytes(ops.emptyList, ops.put(0), ops.emptyDict, ops.text('a'), ops.get(0), ops.setItem, ops.append),
    ]) {
      expect(fault(() => made(looped)).message).toContain('holds itself');
    }
  });

  it('is refused when a few lists unfold to more than anybody can walk through', () => {
    const laughs = Array.from({ length: 30 }, (_, level) => {
      const ten = ops.get(level).toString('latin1').repeat(10);
      return bytes(ops.emptyList, ops.put(level + 1), ops.mark, Buffer.from(ten, 'latin1'), ops.appends);
    });
    const pickle = bytes(ops.emptyList, ops.put(0), ...laughs);
    const error = fault(() => made(ops.mark, pickle, ops.tuple));
    expect([error.code, error.message]).toEqual(['pt_unsafe', expect.stringContaining('unfolds')]);
  });

  it('is refused when it makes more values than its limit, with few opcodes too', () => {
    const limits = { maxValues: 10_000, maxDepth: 100 };
    const limited = (...parts: readonly (Uint8Array | string)[]) =>
      fault(() => unpickle(bytes(ops.proto, ...parts, ops.stop), { ...options, limits }));
    expect(limited(ops.none.repeat(20_000))).toMatchObject({ code: 'pt_unsafe' });
    expect(limited(ops.mark.repeat(20_000))).toMatchObject({ code: 'pt_unsafe' });
    expect(limited(ops.none, ops.put(0).toString('latin1').repeat(20_000))).toMatchObject({
      code: 'pt_unsafe',
    });
    const pair = bytes(ops.emptyList, ops.mark, ops.int(1), ops.int(1), ops.appends, ops.put(0));
    const pairs = bytes(ops.emptyList, ops.put(1), ops.mark, ...Array(1000).fill(ops.get(0)), ops.appends);
    const dict = bytes(ops.global('collections', 'OrderedDict'), ops.get(1), ops.tuple1, ops.reduce);
    const error = limited(pair, pairs, ...Array<Buffer>(50).fill(dict));
    expect([error.code, error.message]).toEqual(['pt_unsafe', expect.stringContaining('makes more than')]);
    // One list of sides that many tensors are made of.
    const ones: number[] = Array(64).fill(1);
    const rebuild = ops.global('torch._utils', '_rebuild_tensor_v2');
    const args = tensorOps({ shape: ones, stride: ones }).subarray(rebuild.length, -1);
    const again = bytes(ops.get(0), ops.get(1), ops.reduce);
    const once = bytes(rebuild, ops.put(0), args, ops.put(1), ops.reduce);
    const tensors = limited(ops.mark, once, ...Array<Buffer>(80).fill(again), ops.tuple);
    expect([tensors.code, tensors.message]).toEqual([
      'pt_unsafe',
      expect.stringContaining('makes more than'),
    ]);
  });
});

describe('a tensor that lies about itself', () => {
  it.each([
    ['a storage that is not there', { key: '1' }],
    ['a key that leaves the archive', { key: '../../etc/passwd' }],
    ['a storage larger than it is', { count: 3 }],
    ['a storage smaller than it is', { count: 1 }],
    ['a negative storage', { count: -2 }],
    ['a storage of another type', { storage: 'DoubleStorage' }],
    ['a storage of numbers that are not read', { storage: 'ComplexFloatStorage' }],
    ['more elements than its storage', { shape: [3] }],
    ['an offset behind its storage', { offset: 1 }],
    ['a negative offset', { offset: -1 }],
    ['a negative side', { shape: [-1] }],
    ['a negative stride', { stride: [-1] }],
    ['a stride that leaves its storage', { stride: [2] }],
    ['strides that overflow', { shape: [2, 2], stride: [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] }],
    ['a shape that overflows', { shape: [2 ** 40, 2 ** 40], stride: [0, 0] }],
    ['more sides than strides', { shape: [1, 1], stride: [1] }],
    ['a thousand sides', { shape: Array(1000).fill(1), stride: Array(1000).fill(0) }],
  ])('is damaged: %s', (_, claims) => {
    expect(fault(() => made(tensorOps(claims)))).toMatchObject({ code: 'pt_damaged' });
  });

  it.each([
    ['text', ops.text('storage')],
    ['nothing', ops.emptyTuple],
    [
      'a storage whose type is text',
      bytes(ops.mark, ops.text('storage'), ops.text('FloatStorage'), ops.text('0'), ops.tuple),
    ],
    [
      'nested lists for a number',
      bytes(
        ops.mark,
        ops.text('storage'),
        ops.global('torch', 'FloatStorage'),
        ops.text('0'),
        ops.text('cpu'),
        ops.emptyTuple,
        ops.tuple1.repeat(50_000),
        ops.tuple,
      ),
    ],
  ])('is damaged when its persistent id is %s', (_, id) => {
    expect(fault(() => made(id, ops.persistentId))).toMatchObject({ code: 'pt_damaged' });
  });

  it('is damaged when its shape is no list of numbers, however deep', () => {
    const deep = bytes(ops.emptyTuple, ops.tuple1.repeat(50_000));
    const rebuild = (...args: Buffer[]) =>
      made(ops.global('torch._utils', '_rebuild_tensor_v2'), ops.mark, ...args, ops.tuple, ops.reduce);
    const one = bytes(ops.int(1), ops.tuple1);
    for (const args of [
      [storage, ops.int(0), deep, one],
      [storage, deep, one, one],
      [storage, ops.int(0)],
      [one, one, one, one],
      [],
    ])
      expect(fault(() => rebuild(...args)).code).toBe('pt_damaged');
  });

  it('keeps its shape when the pickle changes the list it was made from', () => {
    const list = bytes(ops.emptyList, ops.put(9), ops.int(2), ops.append);
    const tensor = bytes(
      ops.global('torch._utils', '_rebuild_tensor_v2'),
      ops.mark,
      storage,
      ops.int(0),
      list,
      ops.int(1),
      ops.tuple1,
      ops.tuple,
      ops.reduce,
    );
    const [kept] = made(ops.mark, tensor, ops.get(9), ops.int(1_000_000), ops.append, ops.tuple) as [
      PtTensor,
    ];
    expect(kept.shape).toEqual([2]);
  });
});

describe('newer forms', () => {
  it('are read: untyped storages, dtypes, text and frames of protocol 4', () => {
    const untyped = bytes(
      ops.mark,
      ops.text('storage'),
      ops.global('torch.storage', 'UntypedStorage'),
      ops.text('0'),
      ops.text('cpu'),
      ops.int(8),
      ops.tuple,
      ops.persistentId,
    );
    const tensor = bytes(
      bytes(ops.text('torch._utils'), '\x94', ops.text('_rebuild_tensor_v3'), '\x94\x93'),
      bytes(
        ops.mark,
        untyped,
        ops.int(0),
        ops.int(1),
        ops.tuple1,
        ops.int(1),
        ops.tuple1,
        ops.false,
        ops.none,
      ),
      bytes(ops.global('torch', 'int64'), ops.tuple, ops.reduce),
    );
    const framed = unpickle(bytes('\x80\x04', ops.long('\x95', tensor.length), tensor, ops.stop), options);
    expect(framed).toMatchObject({ kind: 'tensor', dtype: 'int64', shape: [1], storage: '0' });
    expect(made(ops.global('torch', 'bfloat16'))).toMatchObject({
      kind: 'named',
      name: 'torch.bfloat16',
      args: undefined,
    });
  });

  it('leave out the attributes that a state_dict has beside its tensors', () => {
    const dict = bytes(ops.global('collections', 'OrderedDict'), ops.emptyTuple, ops.reduce);
    expect(made(dict, ops.text('a'), ops.int(1), ops.setItem, ops.emptyDict, ops.build)).toEqual(
      new Map([['a', 1]]),
    );
  });
});

it('no bytes at all lead to anything but a value or an error of these', () => {
  const opcodes = fc.constantFrom(...Object.values(ops).filter((op) => typeof op === 'string'));
  const words = fc.oneof(
    { weight: 6, arbitrary: opcodes.map((op) => Buffer.from(op, 'latin1')) },
    fc.integer({ min: -3, max: 9 }).map(ops.int),
    fc.nat(3).map(ops.put),
    fc.nat(3).map(ops.get),
    fc.constantFrom('storage', '0', 'cpu').map((text) => ops.text(text)),
    fc.constantFrom('FloatStorage', 'float32').map((name) => ops.global('torch', name)),
    fc
      .constantFrom('_rebuild_tensor_v2', '_rebuild_tensor_v3', '_rebuild_parameter')
      .map((name) => ops.global('torch._utils', name)),
    fc.constant(ops.global('collections', 'OrderedDict')),
    fc.constant(tensorOps({})),
    fc.uint8Array({ maxLength: 4 }).map((noise) => Buffer.from(noise)),
  );
  fc.assert(
    fc.property(
      fc.array(words, { maxLength: 40 }),
      fc.constantFrom('refuse', 'describe'),
      (parts, foreign) => {
        try {
          unpickle(bytes(ops.proto, ...parts, ops.stop), { ...options, foreign });
        } catch (error) {
          expect(['pt_unsafe', 'pt_damaged']).toContain((error as FormatError).code);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
