// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../src/config/canonical.js';
import { confRootOf, loadPipeline } from '../../src/config/load.js';
import { emptyMap, textAt } from '../../src/config/located.js';
import { placeOfFile } from '../../src/config/place.js';
import { load, pipelineFile, workspace } from './workspace.js';

const desPass = {
  [pipelineFile]: `name: des-pass
defaults: [survey: des, encoder: cluster-small]
memory: 3GiB
run:
  dir: ???  # Folder of the run: run.dir=runs/des
stages:
  - read:      { path: \${survey.path}, bands: \${survey.bands} }
  - tile:      { size: 2560, step: 2480 }
  - encode:    { weights: \${encoder.weights}, note: "\${survey.bands.1}-\${memory}" }
  - write:     { dir: \${run.dir}/predictions }
  - aggregate
`,
  'conf/survey/des.yaml':
    'path: ???  # Folder of tile folders: survey.path=/data/tiles\nbands: [g, r, i, z]\n',
  'conf/survey/deep.yaml': 'path: /data/deep\nbands: [g, r]\n',
  'package/conf/survey/des.yaml': 'path: /never/seen\n',
  'package/conf/encoder/cluster-small.yaml': 'weights: conf/weights/small\n',
  'package/conf/encoder/bliss.yaml': 'weights: conf/weights/bliss\n',
  'package/conf/machine/gpu.yaml': 'device: cuda\n',
};
const given = ['survey.path=/data/tiles', 'run.dir=runs/a'];

const stagesOf = (loaded: Awaited<ReturnType<typeof load>>): unknown => loaded.pipeline?.values.stages;

describe('loadPipeline', () => {
  it('lays groups under their keys and resolves references with their types', async () => {
    const loaded = await load(desPass, given);
    expect(loaded.messages).toEqual([]);
    expect(loaded.pipeline).toMatchObject({ name: 'des-pass', memoryBytes: 3 * 2 ** 30 });
    expect(loaded.pipeline?.values).toEqual({
      name: 'des-pass',
      memory: '3GiB',
      survey: { path: '/data/tiles', bands: ['g', 'r', 'i', 'z'] },
      encoder: { weights: 'conf/weights/small' },
      run: { dir: 'runs/a' },
      stages: [
        { read: { path: '/data/tiles', bands: ['g', 'r', 'i', 'z'] } },
        { tile: { size: 2560, step: 2480 } },
        { encode: { weights: 'conf/weights/small', note: 'r-3GiB' } },
        { write: { dir: 'runs/a/predictions' } },
        { aggregate: {} },
      ],
    });
    expect(loaded.files.map((file) => file.split('/').slice(-2).join('/'))).toEqual([
      'pipelines/p.yaml',
      'survey/des.yaml',
      'encoder/cluster-small.yaml',
    ]);
  });

  it('asks for mandatory values by the override that gives them', async () => {
    const { messages } = await load(desPass);
    expect(messages).toEqual([
      'conf/pipelines/p.yaml:5:8: run.dir has no value: Folder of the run (add run.dir=runs/des to the command)',
      'conf/survey/des.yaml:1:7: survey.path has no value: Folder of tile folders (add survey.path=/data/tiles to the command)',
    ]);
    const plain = await load('a: ??? # anything\nstages: [read]');
    expect(plain.messages).toEqual([
      'conf/pipelines/p.yaml:1:4: a has no value: anything (add a=… to the command)',
    ]);
    const stage = await load('stages: [{ read: { path: ??? } }]');
    expect(stage.messages).toEqual([
      'conf/pipelines/p.yaml:1:26: read.path has no value (add read.path=… to the command)',
    ]);
  });

  it('keeps the position of a value through groups and references', async () => {
    const { pipeline, files } = await load(desPass, given);
    const [read] = pipeline?.stages ?? [];
    const options = read?.options.kind === 'map' ? read.options.entries : new Map();
    expect(options.get('bands')?.value.at).toEqual({ file: files[1], line: 2, column: 8 });
    expect(options.get('bands')?.keyAt).toEqual({ file: files[0], line: 7, column: 40 });
    expect(options.get('path')?.value.at).toEqual({
      file: '<command line>: survey.path=/data/tiles',
      line: 0,
      column: 0,
    });
    expect(read?.at).toEqual({ file: files[0], line: 7, column: 5 });
  });

  it('tells a value as it was written', async () => {
    const { pipeline } = await load('run: { dir: 007, list: [a], no: }\nstages: [read]', ['+run.b=1e3']);
    const root = pipeline?.root ?? emptyMap(placeOfFile(''));
    expect(
      ['run.dir', 'run.list.0', 'run.b', 'run.no', 'run.x', 'run.dir.x', 'run'].map((path) =>
        textAt(root, path),
      ),
    ).toEqual(['007', 'a', '1e3', undefined, undefined, undefined, undefined]);
  });

  it('names a pipeline without a name by its file', async () => {
    expect((await load('stages: [read]')).pipeline?.name).toBe('p');
  });

  it('says that a file is missing or a folder', async () => {
    const root = workspace({ 'a/b.yaml': '' });
    const messages = await Promise.all(
      ['a/c.yaml', 'a'].map(async (name) =>
        (await loadPipeline(join(root, name))).lints.map(({ message }) => message),
      ),
    );
    expect(messages).toEqual([['there is no such file'], ['this is a folder']]);
  });

  it('looks for groups beside the folder pipelines, or beside the file', () => {
    expect(confRootOf('conf/pipelines/a.yaml')).toBe('conf');
    expect(confRootOf('mine/a.yaml')).toBe('mine');
    expect(confRootOf('a.yaml')).toBe('.');
  });

  it.each([
    ['memory: 3 gigs', '1:9: memory should be a size such as 3GiB, but is "3 gigs"'],
    ['memory: [1]', '1:9: memory should be a size such as 3GiB, but is a list'],
    ['memroy: 3GiB', '1:1: the pipeline has "memroy", but no "memory" (did you mean "memory"?)'],
    ['name: [a]', '1:7: name should be text (write name: des-pass)'],
    ['defaults: des', '1:11: defaults should be a list (write defaults: [survey: des])'],
    ['defaults: [3]', '1:12: an entry of defaults is a group and its choice, or _self_ (write survey: des)'],
    ['defaults: [a: [b]]', '1:12: an entry of defaults names a group and one file of it (write survey: des)'],
    [
      'defaults: [../a: b]',
      '1:12: an entry of defaults names a group and one file of it (write survey: des)',
    ],
  ])('refuses %j', async (text, message) => {
    expect((await load(`${text}\nstages: [read]`)).messages).toEqual([`conf/pipelines/p.yaml:${message}`]);
  });

  it.each([
    ['x: 1', '1:1: the pipeline has no stages (write stages: [{ read: { … } }, …])'],
    ['stages: []', '1:9: the pipeline has no stages (write stages: [{ read: { … } }, …])'],
    ['stages: { read: 1 }', '1:9: stages should be a list (write stages: [{ read: { … } }, …])'],
    [
      'stages: [{ a: {}, b: {} }]',
      '1:10: a stage is one operator with its options, but this has 2 keys (write - tile: { size: 2560 })',
    ],
    [
      'stages: [7]',
      '1:10: a stage is one operator with its options, but this is no map (write - tile: { size: 2560 })',
    ],
    [
      'stages: [{ a: 512 }]',
      '1:15: the options of a should be a map, but are "512" (write a: { key: value })',
    ],
  ])('refuses %j', async (text, message) => {
    expect((await load(text)).messages).toEqual([`conf/pipelines/p.yaml:${message}`]);
  });
});

describe('config groups', () => {
  it('are looked up beside the pipeline first, then in the package', async () => {
    const { pipeline } = await load({
      ...desPass,
      [pipelineFile]: 'defaults: [survey: deep, machine: gpu]\nstages: [read]',
    });
    expect(pipeline?.values).toMatchObject({ survey: { path: '/data/deep' }, machine: { device: 'cuda' } });
  });

  it("are overlaid by the file's own keys, unless _self_ stands earlier", async () => {
    const own = 'survey: { path: /mine }\nstages: [read]';
    const last = await load({ ...desPass, [pipelineFile]: `defaults: [survey: deep]\n${own}` });
    expect(last.pipeline?.values.survey).toEqual({ path: '/mine', bands: ['g', 'r'] });
    const first = await load({ ...desPass, [pipelineFile]: `defaults: [_self_, survey: deep]\n${own}` });
    expect(first.pipeline?.values.survey).toEqual({ path: '/data/deep', bands: ['g', 'r'] });
  });

  it('can be left out with null', async () => {
    const { messages, pipeline } = await load('defaults: [survey: null]\nstages: [read]');
    expect(messages).toEqual([]);
    expect(pipeline?.values).not.toHaveProperty('survey');
  });

  it.each([
    ['survey: dse', '1:20: the config group "survey" has no "dse" (did you mean "des"?)'],
    ['survey: ../survey/des', '1:20: the config group "survey" has no "../survey/des" (known: deep, des)'],
    ['survey: ???', '1:20: no survey is chosen (add survey=deep|des to the command)'],
    [
      'survye: des',
      '1:20: there is no config group "survye" (looked for survye/*.yaml in conf, package/conf)',
    ],
  ])('refuses %j', async (entry, message) => {
    const { messages } = await load({ ...desPass, [pipelineFile]: `defaults: [${entry}]\nstages: [read]` });
    expect(messages).toEqual([`conf/pipelines/p.yaml:${message}`]);
  });

  it('reports a group twice and defaults inside a group', async () => {
    const twice = await load(
      { ...desPass, [pipelineFile]: 'defaults: [survey: des, survey: deep]\nstages: [read]' },
      ['survey.path=/x'],
    );
    expect(twice.messages).toEqual([
      'conf/pipelines/p.yaml:1:25: the group "survey" stands twice in defaults (keep one of them)',
    ]);
    const nested = await load({
      [pipelineFile]: 'defaults: [survey: a]\nstages: [read]',
      'conf/survey/a.yaml': 'x: 1\ndefaults: [b]',
    });
    expect(nested.messages).toEqual([
      'conf/survey/a.yaml:2:1: a group file cannot have defaults of its own (list them in the pipeline)',
    ]);
  });

  it('that cannot be read are reported once, and not again where they are used', async () => {
    const { messages } = await load({ ...desPass, 'conf/survey/des.yaml': 'path: "open\n' }, given);
    expect(messages).toEqual(['conf/survey/des.yaml:2:1: Missing closing "quote']);
  });
});

describe('overrides', () => {
  it.each([
    ['tile.size=512', [{ tile: { size: 512, step: 2480 } }]],
    ['tile.edge=drop', [{ tile: { size: 2560, step: 2480, edge: 'drop' } }]],
    ['~tile.step', [{ tile: { size: 2560 } }]],
    ['tile={size: 4}', [{ tile: { size: 4 } }]],
  ])('%s reaches the stage of that name', async (override, [tile]: unknown[]) => {
    const loaded = await load(desPass, [...given, override]);
    expect(loaded.messages).toEqual([]);
    expect((stagesOf(loaded) as unknown[])[1]).toEqual(tile);
  });

  it('reach a bare stage, a renamed stage, and remove a stage', async () => {
    const loaded = await load('stages:\n  - read\n  - tile: { name: coarse }\n  - tile\n  - write:\n', [
      'read.path=/x',
      'coarse.size=8',
      'tile.size=4',
      '~write',
    ]);
    expect(loaded.messages).toEqual([]);
    expect(stagesOf(loaded)).toEqual([
      { read: { path: '/x' } },
      { tile: { name: 'coarse', size: 8 } },
      { tile: { size: 4 } },
    ]);
  });

  it('change, add and remove keys in order', async () => {
    const loaded = await load('a: { b: 1, c: [1, 2] }\nempty:\nstages: [read]', [
      'a.b=2',
      'a.c.1=three',
      '+a.new.deep=4',
      '+empty.x=1',
      'memory=2GiB',
      '~a.b',
      '+a.b={x: [1, "two"]}',
      '+z=${a.b.x.1}-${memory}',
    ]);
    expect(loaded.messages).toEqual([]);
    expect(loaded.pipeline?.values).toMatchObject({
      a: { b: { x: [1, 'two'] }, c: [1, 'three'], new: { deep: 4 } },
      empty: { x: 1 },
      z: 'two-2GiB',
    });
    expect(loaded.pipeline?.memoryBytes).toBe(2 ** 31);
  });

  it('choose, add and drop config groups', async () => {
    const loaded = await load(desPass, ['survey=deep', 'run.dir=a', 'encoder=bliss', '+machine=gpu']);
    expect(loaded.messages).toEqual([]);
    expect(loaded.pipeline?.values).toMatchObject({
      survey: { path: '/data/deep' },
      encoder: { weights: 'conf/weights/bliss' },
      machine: { device: 'cuda' },
    });
    const without = await load({ ...desPass, [pipelineFile]: 'defaults: [survey: des]\nstages: [read]' }, [
      '~survey',
    ]);
    expect(without.messages).toEqual([]);
    expect(without.pipeline?.values).not.toHaveProperty('survey');
  });

  it.each([
    ['a=1', 1],
    ['a=1.5', 1.5],
    ['a=true', true],
    ['a=null', null],
    ['a=', ''],
    ['a="1"', '1'],
    ['a=[g, r]', ['g', 'r']],
    ['a={b: 1}', { b: 1 }],
    ['a=/data/my tiles #2', '/data/my tiles #2'],
    ['a=C: tiles', 'C: tiles'],
    ['a=*.fits', '*.fits'],
    ['a=x=y', 'x=y'],
    ['a=- b', '- b'],
    ['a=!tag x', '!tag x'],
    ['a=\\${b}', '${b}'],
  ])('%s is read as people mean it', async (override, value) => {
    const loaded = await load('a: 0\nstages: [read]', [override]);
    expect(loaded.messages).toEqual([]);
    expect(loaded.pipeline?.values.a).toEqual(value);
  });

  it.each([
    [
      'surve.path=1',
      'there is no surve.path to override (did you mean "survey.path"? to add it, write +surve.path=…)',
    ],
    [
      'survey.pth=1',
      'there is no survey.pth to override (did you mean "survey.path"? to add it, write +survey.pth=…)',
    ],
    [
      'tiel.size=1',
      'there is no tiel.size to override (did you mean "tile.size"? to add it, write +tiel.size=…)',
    ],
    ['colour=1', 'there is no colour to override (to add it, write +colour=…)'],
    ['~survey.pth', 'there is no survey.pth to remove (did you mean "survey.path"?)'],
    ['~colour', 'there is no colour to remove'],
    ['memory.max=1', 'memory is a single value and has nothing inside (write memory=value)'],
    ['+memory.max=1', 'memory is a single value and has nothing inside (write memory=value)'],
    ['survey=dse', 'the config group "survey" has no "dse" (did you mean "des"?)'],
    ['tile.size', 'an override needs a value (write tile.size=value)'],
    ['~tile.size=1', 'a key is removed without a value (write ~tile.size)'],
    ['=1', '"" is not a key (write survey.path=/data/tiles)'],
    ['a..b=1', '"a..b" is not a key (write survey.path=/data/tiles)'],
    ['--verbose', '"--verbose" is not a key (write survey.path=/data/tiles)'],
  ])('%s is refused', async (override, message) => {
    const { messages } = await load(desPass, [...given, override]);
    expect(messages).toEqual([`<command line>: ${override}: ${message}`]);
  });

  it('with an unfinished list are refused', async () => {
    const { lints } = await load(desPass, [...given, 'survey.bands=[g, r']);
    expect(lints).toHaveLength(1);
    expect(lints[0]).toMatchObject({ file: '<command line>: survey.bands=[g, r', line: 0, code: 'override' });
  });

  it('into a group that could not be read are not reported a second time', async () => {
    const { messages } = await load({ ...desPass, 'conf/survey/des.yaml': '[1]' }, given);
    expect(messages).toEqual(['conf/survey/des.yaml:1:1: the file should be a map of keys, but is a list']);
  });
});

describe('references', () => {
  const resolved = async (text: string, env: Record<string, string> = {}) => {
    const loaded = await load(`${text}\nstages: [read]`, [], env);
    return { value: loaded.pipeline?.values.a, messages: loaded.messages };
  };

  it.each([
    ['a: ${b}\nb: [1, { c: 2 }]', [1, { c: 2 }]],
    ['a: "${b}"\nb: 7', 7],
    ['a: ${b}px\nb: 007', '007px'],
    ['a: ${b.c}\nb: ${d}\nd: { c: 5 }', 5],
    ['a: ${b.${c}}\nb: { x: 5 }\nc: x', 5],
    ['a: [${b}, { c: ${b}, d: "${b}${b}" }]\nb: 1', [1, { c: 1, d: '11' }]],
    ['a: { b: 1, c: ${a.b} }', { b: 1, c: 1 }],
    ['a: \\${b}', '${b}'],
    ['a: \\\\${b}\nb: x', '\\x'],
    ['a: C:\\dir\\${b}', 'C:\\dir${b}'],
    ['a: $b {c}', '$b {c}'],
    ['a: { x: ${env:TILES,/data}, y: [${env:N,[1, 2]}] }', { x: '/data', y: [[1, 2]] }],
  ])('%j', async (text, value) => {
    expect(await resolved(text)).toEqual({ value, messages: [] });
  });

  it.each([
    ['a: ${env:X}', { X: '12' }, 12],
    ['a: ${env:X}', { X: '' }, ''],
    ['a: ${env:X}', { X: '${b}' }, '${b}'],
    ['a: ${env:X}', { X: '[unfinished' }, '[unfinished'],
    ['a: p${env:X}', { X: '007' }, 'p007'],
    ['a: ${env:X,}', {}, ''],
    ['a: ${env:X,3}', { X: '4' }, 4],
    ['a: ${env:${b}}\nb: X', { X: 'y' }, 'y'],
    ['a: ${env:X,${b}}\nb: 3', {}, 3],
  ])('%j with %j', async (text, env, value) => {
    expect(await resolved(text, env as Record<string, string>)).toEqual({ value, messages: [] });
  });

  it.each([
    [
      'a: ${survye.path}\nsurvey: { path: 1 }',
      '1:4: ${survye.path} refers to nothing (did you mean "survey"?)',
    ],
    [
      'a: ${survey.pth}\nsurvey: { path: 1 }',
      '1:4: ${survey.pth} refers to nothing (did you mean "survey.path"?)',
    ],
    ['a: ${.b}', '1:4: ${.b} refers to nothing (references start at the top of the pipeline)'],
    ['a: ${b', '1:4: "${" is never closed by "}" (write \\${ for a literal ${)'],
    ['a: x${b}\nb: [1]', '1:4: a list cannot stand within text (make the reference the whole value)'],
    [
      'a: ${env:NOPE}',
      '1:4: the environment variable NOPE is not set (export NOPE=…, or give a default: ${env:NOPE,default})',
    ],
    ['a: ${toString}', '1:4: ${toString} refers to nothing (known: a, stages)'],
    [
      'a: ${env:toString}',
      '1:4: the environment variable toString is not set (export toString=…, or give a default: ${env:toString,default})',
    ],
    ['a: ${a}', '1:4: references go round in a circle: ${a} → ${a}'],
    ['a: ${b}\nb: x${c}\nc: ${a}', '1:4: references go round in a circle: ${a} → ${b} → ${c} → ${a}'],
    ['a: { b: ${a} }', '1:4: references go round in a circle: ${a} → ${a}'],
  ])('%j is refused once', async (text, message) => {
    expect((await resolved(text)).messages).toEqual([`conf/pipelines/p.yaml:${message}`]);
  });
});

describe('canonical', () => {
  it('is one text for one configuration, in whatever order it was written', async () => {
    const one = await load('b: { y: 1, x: [2, null] }\na: ${b.y}\nstages: [read]');
    const two = await load('stages: [{ read: {} }]\na: 1\nb: { x: [2, ~], y: 0x1 }');
    const other = await load('stages: [{ read: {} }]\na: 1\nb: { x: [~, 2], y: 1 }');
    const texts = [one, two, other].map(({ pipeline }) =>
      pipeline === undefined ? '' : canonical(pipeline),
    );
    expect(texts[0]).toBe('{"a":1,"b":{"x":[2,null],"y":1},"stages":[{"read":{}}]}');
    expect(texts[1]).toBe(texts[0]);
    expect(texts[2]).not.toBe(texts[0]);
  });
});
