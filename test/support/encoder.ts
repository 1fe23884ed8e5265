/** Tiny encoders with a known answer, as a user's own would lie on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder, type Value } from '../../src/encoders/graph.js';

export interface TinyEncoder {
  /** From the image, (n, 4, 256, 256), to one number for each row, (n, 1, 1, 1). */
  readonly answer: (graph: GraphBuilder, image: Value) => Value;
  readonly isStochastic?: boolean;
}

/** Writes an encoder of one cell of 256 px into a folder, and returns the folder. */
export async function writeEncoder(
  folder: string,
  { answer, isStochastic = false }: TinyEncoder,
): Promise<string> {
  const graph = new GraphBuilder('tiny');
  const image = graph.input('image', ['n', 4, 256, 256]);
  graph.output(answer(graph, image), 'answer', ['n', 1, 1, 1]);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'encoder.onnx'), graph.build());
  const manifest = {
    name: 'tiny',
    trained: false,
    bands: ['g', 'r', 'i', 'z'],
    input: { name: 'image', layout: 'NCHW', window: { exact: 256 } },
    tile_side: 256,
    output: { name: 'answer', kind: 'probabilities', map: true, labels: ['membership'] },
    stochastic: isStochastic,
    memory: { base_bytes: 1e6, bytes_per_pixel: 4 },
  };
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

/** The mean of all pixels of all bands. */
export const mean = (graph: GraphBuilder, image: Value): Value => graph.mean(image, [1, 2, 3]);
