// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { describe, expect, it } from 'vitest';
import type { StagesCheck } from '../../src/config/lint.js';
import { stageSpec } from '../../src/config/spec.js';
import { lint, pipelineFile, specs } from './workspace.js';

const good = `memory: 3GiB
survey: { path: /data, bands: [g, r] }
stages:
  - read: { path: "\${survey.path}", bands: "\${survey.bands}" }
  - tile: { size: 512 }
  - batch: { items: 2, credit_items: 3 }
  - encode: { weights: w, device: [cpu, cuda] }
  - write: { dir: 2026, name: out }
  - aggregate
`;
const at = (messages: readonly string[]): string[] =>
  messages.map((message) => message.replace(`${pipelineFile}:`, ''));

describe('lintPipeline', () => {
  it('returns checked stages when nothing is wrong', async () => {
    const { messages, stages } = await lint(good);
    expect(messages).toEqual([]);
    expect(stages?.map(({ operator, name }) => [operator, name])).toEqual([
      ['read', 'read'],
      ['tile', 'tile'],
      ['batch', 'batch'],
      ['encode', 'encode'],
      ['write', 'out'],
      ['aggregate', 'aggregate'],
    ]);
    expect(stages?.[1]?.options).toMatchObject({ size: 512, step: undefined, credit_items: 8 });
    expect(stages?.[2]?.options).toMatchObject({ items: 2, credit_items: 3, period: 2000, retries: 1 });
    expect(stages?.[4]?.options).toMatchObject({ dir: '2026', name: 'out' });
  });

  it('reports everything that is wrong at once, by position, the command line last', async () => {
    const files = {
      [pipelineFile]: `defaults: [survey: des, machine: nope]
memory: lots
run: { dir: ??? }
stages:
  - reed: { path: x }
  - tile:
      sise: 512
      step: "8"
      credit_items: 0
  - encode: { weights: \${encoder.weights}, device: 7 }
  - write: { dir: \${run.dir}, retries: -1 }
  - write: { dir: \${survey.size} }
`,
      'conf/survey/des.yaml': 'path: ???\nsize: [1]\n',
      'conf/machine/auto.yaml': '',
    };
    const { messages, stages } = await lint(files, ['tile.edge=drop', 'wirte.dir=x', 'tile.size=0']);
    expect(stages).toBeUndefined();
    expect(at(messages)).toEqual([
      '1:34: the config group "machine" has no "nope" (known: auto)',
      '2:9: memory should be a size such as 3GiB, but is "lots"',
      '3:13: run.dir has no value (add run.dir=… to the command)',
      '5:5: there is no operator "reed" (did you mean "read"?)',
      '7:7: tile has no option "sise" (did you mean "size"?)',
      '8:13: tile.step should be a whole number of at least 1 (px), but is "8" (text) (write 8 without quotes)',
      '9:21: tile.credit_items should be a whole number of at least 1 (items), but is 0',
      '10:5: encode takes Batch, but tile gives Window (put batch between them)',
      '10:24: ${encoder.weights} refers to nothing (known: survey, machine, memory, run, stages)',
      '10:52: encode.device should be one of auto, or a list, each text, but is 7'.replace(
        'one of auto',
        '"auto"',
      ),
      '11:40: write.retries should be a whole number from 0 to 100, but is -1',
      '12:5: two stages are called "write" (give the stage another name with its option "name")',
      '12:5: write takes Prediction, but write gives Shard (what gives Prediction: encode)',
      'conf/survey/des.yaml:1:7: survey.path has no value (add survey.path=… to the command)',
      'conf/survey/des.yaml:2:7: write.dir should be a path, but is a list of 1',
      '<command line>: wirte.dir=x: there is no wirte.dir to override (did you mean "write.dir"? to add it, write +wirte.dir=…)',
      '<command line>: tile.edge=drop: tile has no option "edge" (known: size, step, name, credit_items, credit_bytes, retries)',
      '<command line>: tile.size=0: tile.size should be a whole number of at least 1 (px), but is 0',
    ]);
  });

  it('shows a list entry at its own place, and a missing option at the stage', async () => {
    const { messages } = await lint(`stages:
  - read: { path: x, bands: [g, R, 3] }
  - tile
  - batch
  - encode
  - write: { dir: { a: 1 } }
`);
    expect(at(messages)).toEqual([
      '2:33: read.bands.1 should be one of g, r, i, z, but is "R" (text) (did you mean "r"?)',
      '2:36: read.bands.2 should be one of g, r, i, z, but is 3',
      '5:5: encode.weights is missing: folder of the encoder (write weights: <a path>)',
      '6:19: write.dir should be a path, but is a map',
    ]);
  });

  it('shows a problem across options at the option, or at the stage when it is not written', async () => {
    const chain = ['read: { path: x }', 'TILE', 'batch', 'encode: { weights: w }', 'write: { dir: d }'];
    const written = chain.join('\n  - ').replace('TILE', 'tile: { size: 4, step: 5 }');
    expect(at((await lint(`stages:\n  - ${written}`)).messages)).toEqual(['3:28: tile.step leaves gaps']);
    const always = stageSpec(
      'read',
      { takes: null, gives: 'Table' },
      '',
      {},
      {
        check: () => [{ path: 'retries', message: 'too few', hint: 'more' }],
      },
    );
    expect(at((await lint('stages: [read]', [], [], [always])).messages)).toEqual(['1:10: too few (more)']);
  });

  it.each([
    [
      'tile first',
      '[tile, batch, { encode: { weights: w } }, { write: { dir: d } }]',
      ['1:10: tile takes SkyImage, but stands first (begin with read)'],
    ],
    [
      'batch first',
      '[batch, { encode: { weights: w } }, { write: { dir: d } }]',
      ['1:10: batch takes Window or Cutout, but stands first (begin with read and tile)'],
    ],
    [
      'no end',
      '[{ read: { path: x } }, tile]',
      [
        '1:33: the pipeline ends with tile, and nobody keeps the Window it gives (end with batch, encode and write)',
      ],
    ],
    [
      'a source in the middle',
      '[{ read: { path: x } }, { read: { path: x, name: b } }, tile, batch, { encode: { weights: w } }, { write: { dir: d } }]',
      ['1:35: read is a source and takes nothing, but stands after read (a source stands first)'],
    ],
    [
      'a gap of two stages',
      '[{ read: { path: x } }, { encode: { weights: w } }, { write: { dir: d } }]',
      ['1:35: encode takes Batch, but read gives SkyImage (put tile and batch between them)'],
    ],
  ])('refuses a chain with %s', async (_what, stages, messages) => {
    expect(at((await lint(`stages: ${stages}`)).messages)).toEqual(messages);
  });

  it('lets nothing stand after a sink, and a sink end the chain', async () => {
    const source = stageSpec('source', { takes: null, gives: 'Window' }, '', {});
    const sink = stageSpec('sink', { takes: 'Window', gives: null }, '', {});
    const ends = await lint('stages: [source, sink]', [], [], [source, sink]);
    expect(ends.messages).toEqual([]);
    const goesOn = await lint('stages: [source, sink, { sink: { name: b } }]', [], [], [source, sink]);
    expect(at(goesOn.messages)).toEqual(['1:26: sink gives nothing, so nothing can stand after it']);
    const unknown = await lint('stages: [source, sinc]', [], [], [source, sink]);
    expect(at(unknown.messages)).toEqual(['1:18: there is no operator "sinc" (did you mean "sink"?)']);
  });

  it('refuses a stage named like a key of the pipeline', async () => {
    const { messages } = await lint(good.replace('name: out', 'name: survey'));
    expect(at(messages)).toEqual([
      '8:5: the stage and a key of the pipeline are both called "survey" (give the stage another name with its option "name")',
    ]);
  });

  it('gives the problems of outside checks their positions', async () => {
    const check: StagesCheck = (stages, pipeline) => [
      { path: 'out.dir', message: `${stages.length} stages in ${pipeline.memoryBytes} bytes` },
      { path: 'encode.device.1', message: 'second device' },
      { path: 'batch.period', message: 'not written' },
      { path: 'memory', message: 'small', hint: 'raise it' },
      { path: 'nothing', message: 'at the top' },
    ];
    const { messages, stages } = await lint(good, ['batch.items=4'], [check]);
    expect(at(messages)).toEqual([
      '1:1: at the top',
      '1:9: small (raise it)',
      '6:5: not written',
      '7:41: second device',
      '8:19: 6 stages in 3221225472 bytes',
    ]);
    expect(stages).toBeUndefined();
  });

  it('lets a warning pass, and asks outside checks only about stages that are right', async () => {
    const warn: StagesCheck = () => [{ path: 'memory', message: 'tight', level: 'warning' }];
    const warned = await lint(good, [], [warn]);
    expect(at(warned.messages)).toEqual(['1:9: warning: tight']);
    expect(warned.stages).toHaveLength(specs.length);
    const wrong = await lint(good.replace('size: 512', 'size: 0'), [], [warn]);
    expect(wrong.messages).toHaveLength(1);
    expect(wrong.messages[0]).not.toContain('tight');
  });

  it('reports the errors of loading alone when the file cannot be read', async () => {
    const { messages, stages } = await lint('stages: [read', ['x']);
    expect(at(messages)).toEqual([
      '1:14: Flow sequence in block collection must be sufficiently indented and end with a ]',
      '<command line>: x: an override needs a value (write x=value)',
    ]);
    expect(stages).toBeUndefined();
  });
});
