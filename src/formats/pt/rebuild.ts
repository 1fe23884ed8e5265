/** The few things a pickle of torch may ask for by name, and what is made of them here. Nothing is ever called. */
import { type Item, isNamed, type Machine, type MutableNamed } from './machine.js';
import { isPtDtype, type PtDtype, type PtStorage, type PtTensor, ptDtypes, tensorFault } from './value.js';

/** `'refuse'`: any other name is an error. `'describe'`: it becomes a description of itself (`PtNamed`). */
export type Foreign = 'refuse' | 'describe';

/** Types and dtypes; they do nothing but tell what a storage holds. */
const KINDS = /^torch\.(storage\.)?\w*Storage$|^torch\.(u?int|b?float|complex|q?u?int|bool)\w*$/;
const dtypeOfStorage = new Map<string, PtDtype>(
  Object.entries(ptDtypes).map(([dtype, { storage }]) => [`torch.${storage}`, dtype as PtDtype]),
);
/** Arrays of other kinds, and what else people save beside tensors. */
const otherKinds =
  /^numpy\._?core\.multiarray\.(_reconstruct|scalar)$|^torch\.(device|Size)$|^torch\._utils\._rebuild_(sparse|sparse_csr|q|device|nested|wrapper_subclass)\w*$/;
const untypedStorages = ['torch.storage.UntypedStorage', 'torch.UntypedStorage'];

type Rebuild = (machine: Machine, args: readonly Item[]) => Item;

const rebuilds: Readonly<Record<string, Rebuild>> = {
  // (storage, offset, shape, strides, requires_grad, hooks)
  'torch._utils._rebuild_tensor_v2': (machine, args) => tensorOf(machine, args, undefined),
  // The same, and the dtype, for those that have no storage of their own.
  'torch._utils._rebuild_tensor_v3': (machine, args) => tensorOf(machine, args, dtypeNamed(machine, args[6])),
  // (tensor, requires_grad, hooks)
  'torch._utils._rebuild_parameter': (machine, [tensor, requiresGrad]) => {
    if (!isKind(tensor, 'tensor'))
      throw machine.fault('pt_damaged', 'a parameter is made of something else than a tensor');
    return { ...tensor, requiresGrad: requiresGrad === true };
  },
  'collections.OrderedDict': (machine, [pairs = []]) => {
    const listed = Array.isArray(pairs) ? pairs : [null];
    machine.spend(listed.length);
    if (!listed.every((pair) => Array.isArray(pair) && pair.length === 2)) {
      throw machine.fault('pt_damaged', 'an OrderedDict is made of something else than pairs');
    }
    return new Map(listed as [Item, Item][]);
  },
};

/** What stands for `module.name` on the stack. */
export function named(machine: Machine, module: string, name: string, foreign: Foreign): Item {
  const full = `${module}.${name}`;
  if (foreign === 'refuse' && !KINDS.test(full) && !Object.hasOwn(rebuilds, full)) {
    throw machine.fault(
      'pt_unsafe',
      `the file asks for ${printable(full)}, which is not needed to read tensors`,
      otherKinds.test(full)
        ? 'save it again with dense tensors in its place: torch.from_numpy(x), x.to_dense(), x.dequantize()'
        : undefined,
    );
  }
  return description(full, undefined);
}

/** What a call of `callee` with `args` stands for. */
export function called(machine: Machine, callee: Item, args: Item, foreign: Foreign): Item {
  if (!isNamed(callee) || !Array.isArray(args)) {
    throw machine.fault('pt_damaged', 'the pickle calls something that cannot be called');
  }
  const rebuild = Object.hasOwn(rebuilds, callee.name) ? rebuilds[callee.name] : undefined;
  if (rebuild !== undefined && callee.args === undefined) return rebuild(machine, args);
  if (foreign === 'describe')
    return description(callee.args === undefined ? callee.name : `${callee.name}()`, args);
  throw machine.fault('pt_unsafe', `the file asks for ${printable(callee.name)} to be called`);
}

const description = (name: string, args: readonly Item[] | undefined): MutableNamed => ({
  kind: 'named',
  name: printable(name),
  args,
  state: undefined,
  items: undefined,
  entries: undefined,
});

/** The storage a persistent id names: ('storage', its type, its key, its device, its number of elements). */
export function storageOf(
  machine: Machine,
  id: Item,
  storageBytes: (key: string) => number | undefined,
): PtStorage {
  const [what, type, key, , count] = Array.isArray(id) ? id : [];
  if (what !== 'storage' || type === undefined || !isNamed(type) || typeof key !== 'string') {
    throw machine.fault('pt_damaged', 'the pickle refers to something that is no storage');
  }
  const dtype = dtypeOfStorage.get(type.name);
  if (dtype === undefined && !untypedStorages.includes(type.name)) {
    throw machine.fault('pt_damaged', `a tensor has its elements in a ${type.name}, which is not read`);
  }
  const bytes = storageBytes(key);
  if (bytes === undefined) {
    throw machine.fault(
      'pt_damaged',
      `the storage ${JSON.stringify(key.slice(0, 40))} is not in the archive`,
    );
  }
  const claimed =
    typeof count === 'number' ? count * (dtype === undefined ? 1 : ptDtypes[dtype].bytes) : Number.NaN;
  if (claimed !== bytes) {
    throw machine.fault('pt_damaged', `the storage ${key} should have ${claimed} bytes, it has ${bytes}`);
  }
  return { kind: 'storage', dtype, key, bytes };
}

function tensorOf(machine: Machine, args: readonly Item[], said: PtDtype | undefined): PtTensor {
  const [storage, offset, shape, stride, requiresGrad] = args;
  const dtype = isKind(storage, 'storage') ? (said ?? storage.dtype) : undefined;
  if (!isKind(storage, 'storage') || dtype === undefined || !Array.isArray(shape) || !Array.isArray(stride)) {
    throw machine.fault(
      'pt_damaged',
      'a tensor is made of something else than storage, offset, shape and strides',
    );
  }
  machine.spend(shape.length + stride.length);
  const tensor: PtTensor = {
    kind: 'tensor',
    dtype,
    // Copies: the pickle may still hold these lists, and change them.
    shape: [...shape] as number[],
    stride: [...stride] as number[],
    storageOffset: offset as number,
    storage: storage.key,
    requiresGrad: requiresGrad === true,
  };
  const fault = tensorFault(tensor, storage.bytes);
  if (fault !== undefined) throw machine.fault('pt_damaged', fault);
  return tensor;
}

function dtypeNamed(machine: Machine, item: Item | undefined): PtDtype {
  const name = item !== undefined && isNamed(item) ? item.name.replace(/^torch\./, '') : '';
  if (isPtDtype(name)) return name;
  throw machine.fault('pt_damaged', `a tensor holds elements of the type "${name}", which is not read`);
}

const isKind = <K extends 'tensor' | 'storage'>(
  item: Item | undefined,
  kind: K,
): item is K extends 'tensor' ? PtTensor : PtStorage =>
  item !== null && typeof item === 'object' && 'kind' in item && item.kind === kind;

/** A name from a hostile file, fit for a message. */
const printable = (name: string): string => name.slice(0, 200).replace(/\p{C}/gu, '\u{fffd}');
