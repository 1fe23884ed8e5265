/**
 * ONNX models as bytes: a writer for the graphs built here, and a reader that says what a model takes,
 * gives and holds. Field numbers are those of onnx.proto3 (https://github.com/onnx/onnx).
 */
import { MessageWriter, readFields, readIntegers, readText } from '../formats/protobuf.js';

export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type ElementType = keyof typeof elementTypes;

/** A length, or the name of one that is known only when the model runs. */
export type Dimension = number | string;

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** Undefined where even the number of axes is not said. */
  readonly shape: readonly Dimension[] | undefined;
}

/** Values in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Uint8Array;
}

export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly text: string }
  | { readonly tensor: Tensor }
  | { readonly graph: Graph };

export interface Node {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly nodes: readonly Node[];
}

export interface Model {
  readonly graph: Graph;
  readonly opset: number;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** IR 10 goes with opsets 21 and 22; ONNX Runtime 1.17 and later read it. */
const IR_VERSION = 10;

/** ModelProto bytes; equal models give equal bytes. */
export function writeModel({ graph, opset, producer, metadata }: Model): Uint8Array {
  const model = new MessageWriter()
    .integer(1, IR_VERSION)
    .text(2, producer)
    .message(7, writeGraph(graph))
    .message(8, new MessageWriter().text(1, '').integer(2, opset));
  for (const [key, value] of Object.entries(metadata)) {
    model.message(14, new MessageWriter().text(1, key).text(2, value));
  }
  return model.finish();
}

function writeGraph(graph: Graph): MessageWriter {
  const message = new MessageWriter();
  for (const node of graph.nodes) message.message(1, writeNode(node));
  message.text(2, graph.name);
  for (const [name, tensor] of graph.initializers) message.message(5, writeTensor(tensor, name));
  for (const input of graph.inputs) message.message(11, writeValueInfo(input));
  for (const output of graph.outputs) message.message(12, writeValueInfo(output));
  return message;
}

function writeNode({ op, domain, inputs, outputs, attributes }: Node): MessageWriter {
  const message = new MessageWriter();
  for (const input of inputs) message.text(1, input);
  for (const output of outputs) message.text(2, output);
  message.text(3, outputs[0] ?? op).text(4, op);
  for (const [name, attribute] of Object.entries(attributes))
    message.message(5, writeAttribute(name, attribute));
  return domain === undefined ? message : message.text(7, domain);
}

function writeAttribute(name: string, attribute: Attribute): MessageWriter {
  const message = new MessageWriter().text(1, name);
  if ('float' in attribute) return message.float(2, attribute.float).integer(20, 1);
  if ('int' in attribute) return message.integer(3, attribute.int).integer(20, 2);
  if ('text' in attribute) return message.text(4, attribute.text).integer(20, 3);
  if ('tensor' in attribute) return message.message(5, writeTensor(attribute.tensor, '')).integer(20, 4);
  if ('graph' in attribute) return message.message(6, writeGraph(attribute.graph)).integer(20, 5);
  for (const value of attribute.ints) message.integer(8, value);
  return message.integer(20, 7);
}

function writeTensor({ shape, data }: Tensor, name: string): MessageWriter {
  const message = new MessageWriter();
  if (shape.length > 0) message.integers(1, shape);
  const type = data instanceof Float32Array ? 'float32' : data instanceof BigInt64Array ? 'int64' : 'bool';
  return message.integer(2, elementTypes[type]).text(8, name).bytes(9, littleEndian(data));
}

/** ONNX stores little endian, which is what every machine Node runs on uses. */
const littleEndian = (data: Tensor['data']): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function writeValueInfo({ name, type, shape }: ValueInfo): MessageWriter {
  const tensor = new MessageWriter().integer(1, elementTypes[type]);
  if (shape !== undefined) {
    const dimensions = new MessageWriter();
    for (const length of shape) {
      const dimension = new MessageWriter();
      dimensions.message(
        1,
        typeof length === 'number' ? dimension.integer(1, length) : dimension.text(2, length),
      );
    }
    tensor.message(2, dimensions);
  }
  return new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensor));
}

/** A weight as it lies in the file: `bytes` is a view of the file's bytes, empty when the weights are elsewhere. */
export interface StoredTensor {
  readonly name: string;
  readonly type: ElementType | undefined;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** What a model takes, gives and holds. Inputs exclude initializers that old models list among their inputs. */
export interface ModelSummary {
  readonly irVersion: number;
  readonly opset: number;
  readonly producer: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly StoredTensor[];
  readonly ops: ReadonlySet<string>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a `.onnx` file's bytes. Weights are views, not copies.
 *
 * @throws Error when the bytes are not an ONNX model; the message says where
 */
export function readModel(bytes: Uint8Array): ModelSummary {
  let irVersion = 0;
  let opset = 0;
  let producer = '';
  let graph: Uint8Array | undefined;
  const metadata: Record<string, string> = {};
  for (const field of readFields(bytes)) {
    if (field.field === 1) irVersion = field.integer;
    else if (field.field === 2) producer = readText(field);
    else if (field.field === 7) graph = field.bytes;
    else if (field.field === 8) opset = Math.max(opset, readOpset(field.bytes));
    else if (field.field === 14) {
      const [key, value] = readEntry(field.bytes);
      metadata[key] = value;
    }
  }
  if (graph === undefined || irVersion === 0) throw new Error('no graph in it: not an ONNX model');
  return { irVersion, opset, producer, metadata, ...readGraph(graph) };
}

function readGraph(bytes: Uint8Array): Pick<ModelSummary, 'inputs' | 'outputs' | 'initializers' | 'ops'> {
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const initializers: StoredTensor[] = [];
  const ops = new Set<string>();
  for (const field of readFields(bytes)) {
    if (field.field === 1) ops.add(readOp(field.bytes));
    else if (field.field === 5) initializers.push(readTensor(field.bytes));
    else if (field.field === 11) inputs.push(readValueInfo(field.bytes));
    else if (field.field === 12) outputs.push(readValueInfo(field.bytes));
  }
  const stored = new Set(initializers.map(({ name }) => name));
  return { inputs: inputs.filter(({ name }) => !stored.has(name)), outputs, initializers, ops };
}

/** Version of the default operator set; 0 for other domains. */
function readOpset(bytes: Uint8Array): number {
  let domain = '';
  let version = 0;
  for (const field of readFields(bytes)) {
    if (field.field === 1) domain = readText(field);
    else if (field.field === 2) version = field.integer;
  }
  return domain === '' || domain === 'ai.onnx' ? version : 0;
}

function readEntry(bytes: Uint8Array): [string, string] {
  let key = '';
  let value = '';
  for (const field of readFields(bytes)) {
    if (field.field === 1) key = readText(field);
    else if (field.field === 2) value = readText(field);
  }
  return [key, value];
}

function readOp(bytes: Uint8Array): string {
  for (const field of readFields(bytes)) if (field.field === 4) return readText(field);
  return '';
}

function readTensor(bytes: Uint8Array): StoredTensor {
  let name = '';
  let type: ElementType | undefined;
  const shape: number[] = [];
  let data: Uint8Array = new Uint8Array(0);
  for (const field of readFields(bytes)) {
    if (field.field === 1) shape.push(...readIntegers(field));
    else if (field.field === 2) type = elementType(field.integer);
    else if (field.field === 8) name = readText(field);
    else if (field.field === 9 || field.field === 4) data = field.bytes;
  }
  return { name, type, shape, bytes: data };
}

function readValueInfo(bytes: Uint8Array): ValueInfo {
  let name = '';
  let type: ElementType = 'float32';
  let shape: Dimension[] | undefined;
  for (const field of readFields(bytes)) {
    if (field.field === 1) name = readText(field);
    if (field.field !== 2) continue;
    for (const kind of readFields(field.bytes)) {
      if (kind.field !== 1) throw new Error(`value ${name} is not a tensor`);
      for (const part of readFields(kind.bytes)) {
        if (part.field === 1) type = elementType(part.integer) ?? unknownType(name, part.integer);
        else if (part.field === 2) shape = readShape(part.bytes);
      }
    }
  }
  return { name, type, shape };
}

function readShape(bytes: Uint8Array): Dimension[] {
  const shape: Dimension[] = [];
  for (const dimension of readFields(bytes)) {
    let length: Dimension = '?';
    for (const field of readFields(dimension.bytes))
      length = field.field === 1 ? field.integer : readText(field);
    shape.push(length);
  }
  return shape;
}

const elementType = (number: number): ElementType | undefined =>
  (Object.keys(elementTypes) as ElementType[]).find((name) => elementTypes[name] === number);

function unknownType(name: string, number: number): never {
  throw new Error(`value ${name} has element type ${number}, which encoders do not use`);
}
