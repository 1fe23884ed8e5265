/**
 * Builds ONNX graphs in TypeScript: each operator is a method that takes and gives symbolic tensors, and
 * every trainable weight has a name in the registry `parameters`.
 */
import {
  type Attribute,
  type Dimension,
  type ElementType,
  type Graph,
  type Node,
  type Tensor,
  type ValueInfo,
  writeModel,
} from './onnx.js';

/** A tensor of the graph, known by its name. */
export interface Value {
  readonly name: string;
}

/** A trainable weight: its name as in a torch `state_dict`, its shape and its values in row-major order. */
export interface Parameter {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface ConvOptions {
  readonly bias?: Value;
  readonly kernel: number;
  readonly stride?: number;
  /** Zeros around the image: the same on all sides, or [top, left, bottom, right]. */
  readonly padding?: number | readonly [top: number, left: number, bottom: number, right: number];
}

/** The operator set these graphs are written against. */
const OPSET = 21;

/** What a graph and the scan bodies inside it have in common: names must be unique, weights stand outermost. */
interface Scope {
  readonly parameters: Map<string, Parameter>;
  readonly constants: Map<string, Tensor>;
  nodes: number;
}

/** A tensor taken apart along its first axis, element by element. */
export interface Sequence {
  readonly value: Value;
  readonly type: ElementType;
}

export type Body = (turn: GraphBuilder, elements: readonly Value[], carried: readonly Value[]) => Turn;

/** What one turn of a scan gives back. */
export interface Turn {
  /** Values for the next turn, as many as there are carried ones. */
  readonly carried: readonly Value[];
  /** Values of this turn; all turns' are stacked along a new first axis. */
  readonly stacked: readonly Value[];
}

export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly inputs: ValueInfo[] = [];
  private readonly outputs: ValueInfo[] = [];

  constructor(
    private readonly name: string,
    private readonly scope: Scope = { parameters: new Map(), constants: new Map(), nodes: 0 },
  ) {}

  /** The trainable weights, in the order in which they were made. */
  get parameters(): ReadonlyMap<string, Parameter> {
    return this.scope.parameters;
  }

  input(name: string, shape: readonly Dimension[] | undefined, type: ElementType = 'float32'): Value {
    this.inputs.push({ name, type, shape });
    return { name };
  }

  /** Declares a value as an output of the graph, under a name of its own. */
  output(
    value: Value,
    name: string,
    shape: readonly Dimension[] | undefined,
    type: ElementType = 'float32',
  ): void {
    this.nodes.push({ op: 'Identity', inputs: [value.name], outputs: [name], attributes: {} });
    this.outputs.push({ name, type, shape });
  }

  /** A trainable weight. Names must be unique. */
  parameter(name: string, shape: readonly number[], data: Float32Array): Value {
    if (this.scope.parameters.has(name)) throw new Error(`two parameters are named ${name}`);
    this.scope.parameters.set(name, { shape, data });
    return { name };
  }

  /** A fixed float32 tensor; equal constants are stored once. */
  constant(data: ArrayLike<number>, shape: readonly number[]): Value {
    return this.fixed(shape, Float32Array.from(data));
  }

  scalar(value: number): Value {
    return this.constant([value], []);
  }

  /** A fixed int64 vector: axes, shapes, indices. */
  integers(values: readonly number[]): Value {
    return this.fixed([values.length], BigInt64Array.from(values, BigInt));
  }

  /** Any operator of the default domain, or of `domain`, with one output. */
  node(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    return this.manyOutputs(op, 1, inputs, attributes)[0] as Value;
  }

  add = (a: Value, b: Value): Value => this.node('Add', [a, b]);
  sub = (a: Value, b: Value): Value => this.node('Sub', [a, b]);
  mul = (a: Value, b: Value): Value => this.node('Mul', [a, b]);
  div = (a: Value, b: Value): Value => this.node('Div', [a, b]);
  abs = (x: Value): Value => this.node('Abs', [x]);
  neg = (x: Value): Value => this.node('Neg', [x]);
  sqrt = (x: Value): Value => this.node('Sqrt', [x]);
  log = (x: Value): Value => this.node('Log', [x]);
  sigmoid = (x: Value): Value => this.node('Sigmoid', [x]);
  clip = (x: Value, low: Value, high: Value): Value => this.node('Clip', [x, low, high]);

  /** Mean over some axes, which stay with length 1. */
  mean = (x: Value, axes: readonly number[]): Value => this.node('ReduceMean', [x, this.integers(axes)]);

  /** x · sigmoid(x). */
  silu = (x: Value): Value => this.mul(x, this.sigmoid(x));

  /**
   * Inverse hyperbolic sine as sign(u) · log(|u| + sqrt(u² + 1)): right for large negative u on every device
   * (WebGPU's own is not), and cheaper on a CPU than its scalar Asinh. The sign is clip(10^18 u, -1, 1), which
   * is vectorised where Sign is not; where it falls short of ±1 the logarithm is 0.
   */
  asinh(u: Value): Value {
    const magnitude = this.log(this.add(this.abs(u), this.sqrt(this.add(this.mul(u, u), this.scalar(1)))));
    const sign = this.clip(this.mul(u, this.scalar(1e18)), this.scalar(-1), this.scalar(1));
    return this.mul(magnitude, sign);
  }

  /** Changes the shape; 0 keeps a length, -1 infers it. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.node('Reshape', [x, this.integers(shape)]);
  }

  concat(values: readonly Value[], axis: number): Value {
    return this.node('Concat', values, { axis: { int: axis } });
  }

  /** Elements `from` to `to` (exclusive) of one axis; both are int64 vectors of one element. */
  slice(x: Value, axis: number, from: Value, to: Value): Value {
    return this.node('Slice', [x, from, to, this.integers([axis])]);
  }

  /** 0, 1, … up to a number that is an int64 vector of one element. */
  countTo(end: Value): Sequence {
    const [zero, one] = [0n, 1n].map((number) => this.fixed([], BigInt64Array.of(number))) as [Value, Value];
    return { value: this.node('Range', [zero, this.node('Squeeze', [end]), one]), type: 'int64' };
  }

  /** The length of one axis, as an int64 vector of one element. */
  lengthOf(x: Value, axis: number): Value {
    return this.node('Shape', [x], { start: { int: axis }, end: { int: axis + 1 } });
  }

  /** Correlation with a (out, in, kernel, kernel) weight, as torch's conv2d. */
  conv(x: Value, weight: Value, { bias, kernel, stride = 1, padding = 0 }: ConvOptions): Value {
    const [top, left, bottom, right] =
      typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
    return this.node('Conv', bias === undefined ? [x, weight] : [x, weight, bias], {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [stride, stride] },
      pads: { ints: [top, left, bottom, right] },
    });
  }

  /** Mean over squares of `size` × `size`, side by side. */
  averagePool(x: Value, size: number): Value {
    return this.node('AveragePool', [x], {
      kernel_shape: { ints: [size, size] },
      strides: { ints: [size, size] },
    });
  }

  /**
   * Group normalisation as torch's GroupNorm: per row and group, (x − mean) / sqrt(variance + epsilon), then
   * scale and shift per channel. InstanceNormalization over groups laid out as channels subtracts the mean
   * before it squares, which E[x²] − mean² does not survive.
   */
  groupNorm(x: Value, scale: Value, shift: Value, groups: number, epsilon = 1e-5): Value {
    const ones = this.constant(new Float32Array(groups).fill(1), [groups]);
    const zeros = this.constant(new Float32Array(groups), [groups]);
    const grouped = this.reshape(x, [0, groups, -1]);
    const normal = this.node('InstanceNormalization', [grouped, ones, zeros], {
      epsilon: { float: epsilon },
    });
    const restored = this.node('Reshape', [normal, this.node('Shape', [x])]);
    const perChannel = [1, -1, 1, 1];
    return this.add(this.mul(restored, this.reshape(scale, perChannel)), this.reshape(shift, perChannel));
  }

  /**
   * Repeats a body for every element of some sequences (ONNX Scan). The body may use any value of this graph.
   *
   * @param sequences tensors taken apart along their first axis, of equal length
   * @param carried initial values of what one turn hands to the next
   * @param body builds one turn from one element of each sequence and the carried values
   * @returns the last carried values, then the stacked ones
   */
  scan(sequences: readonly Sequence[], carried: readonly Value[], body: Body): Value[] {
    const turn = new GraphBuilder(`turn_${this.scope.nodes}`, this.scope);
    const named = (part: string) => `${turn.name}.${part}`;
    const state = carried.map((_, i) => turn.input(named(`carried_${i}`), undefined));
    const elements = sequences.map(({ type }, i) => turn.input(named(`element_${i}`), undefined, type));
    const result = body(turn, elements, state);
    const results = [...result.carried, ...result.stacked];
    for (const [i, value] of results.entries()) turn.output(value, named(`out_${i}`), undefined);
    return this.manyOutputs('Scan', results.length, [...carried, ...sequences.map(({ value }) => value)], {
      body: { graph: turn.bodyGraph() },
      num_scan_inputs: { int: sequences.length },
    });
  }

  /** The graph so far. */
  graph(): Graph {
    const initializers = new Map<string, Tensor>([...this.scope.constants, ...this.scope.parameters]);
    return { ...this.bodyGraph(), initializers };
  }

  private bodyGraph(): Graph {
    const initializers = new Map<string, Tensor>();
    return { name: this.name, inputs: this.inputs, outputs: this.outputs, initializers, nodes: this.nodes };
  }

  /** The graph as the bytes of a `.onnx` file. The same calls give the same bytes. */
  build(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    return writeModel({ graph: this.graph(), opset: OPSET, producer: 'skypass', metadata });
  }

  private manyOutputs(
    op: string,
    count: number,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>>,
  ): Value[] {
    const name = `${op}_${this.scope.nodes++}`;
    const outputs = Array.from({ length: count }, (_, i) => ({ name: i === 0 ? name : `${name}.${i}` }));
    this.nodes.push({ op, inputs: names(inputs), outputs: names(outputs), attributes });
    return outputs;
  }

  private fixed(shape: readonly number[], data: Tensor['data']): Value {
    for (const [name, tensor] of this.scope.constants)
      if (sameTensor(tensor, { shape, data })) return { name };
    const name = `constant_${this.scope.constants.size}`;
    this.scope.constants.set(name, { shape, data });
    return { name };
  }
}

const names = (values: readonly Value[]): string[] => values.map(({ name }) => name);

const sameTensor = (a: Tensor, b: Tensor): boolean =>
  a.data.constructor === b.data.constructor &&
  a.shape.join() === b.shape.join() &&
  a.data.length === b.data.length &&
  a.data.every((value, index) => Object.is(value, b.data[index]));
