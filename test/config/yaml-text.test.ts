// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { describe, expect, it } from 'vitest';
import { load, pipelineFile } from './workspace.js';

const messagesOf = async (content: string | Uint8Array): Promise<readonly string[]> =>
  (await load(content)).messages.map((message) => message.replace(`${pipelineFile}:`, ''));

describe('a YAML file', () => {
  it.each([
    ['tabs', 'stages:\n\t- read\n', ['2:1: Tabs are not allowed as indentation (indent with spaces)']],
    [
      'keys written twice',
      'a: 1\nstages: [read]\na: 2\n',
      ['3:1: the key "a" is written twice (it stands in line 1 already)'],
    ],
    [
      'an open bracket',
      'stages: [read',
      ['1:14: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    [
      'a map in a line',
      'a: b: c\nstages: [read]',
      ['1:4: Nested mappings are not allowed in compact mappings'],
    ],
    ['an unknown alias', 'a: *x\nstages: [read]', ['1:4: no anchor &x stands before this alias']],
    ['an unknown tag', 'a: !thing x\nstages: [read]', ['1:4: Unresolved tag: !thing']],
    [
      'binary values',
      'a: !!binary aaaa\nstages: [read]',
      ['1:13: only text, numbers, true, false, lists and maps are read'],
    ],
    [
      'two documents',
      'stages: [read]\n---\nb: 1',
      ['2:1: a second document begins here (keep one pipeline in a file)'],
    ],
    ['a list at the top', '- read\n', ['1:1: the file should be a map of keys, but is a list']],
    ['text at the top', 'read', ['1:1: the file should be a map of keys, but is text']],
    ['keys that are lists', '? [a]\n: 1\nstages: [read]', ['1:3: With stringKeys, all keys must be strings']],
    ['nothing', '', ['1:1: the pipeline has no stages (write stages: [{ read: { … } }, …])']],
    [
      'a control character',
      'a: 1\nb: x\u0000\nstages: [read]',
      ['2:5: the character U+0000 cannot stand in YAML (is it a text file?)'],
    ],
  ])('with %s gets a lint with its place', async (_what, text, messages) => {
    expect(await messagesOf(text)).toEqual(messages);
  });

  it('in another encoding gets a lint with its place', async () => {
    expect(await messagesOf(Buffer.from('name: é\nstages: [read]', 'latin1'))).toEqual([
      '1:7: the bytes here are not UTF-8 (save the file as UTF-8)',
    ]);
    expect(await messagesOf(Buffer.from('\ufeffname: a', 'utf16le'))).toEqual([
      ' the file is UTF-16 (save it as UTF-8)',
    ]);
    expect(await messagesOf(Buffer.from('\ufeffname: é\nstages: [read]'))).toEqual([]);
  });

  it('that is far too large is not parsed', async () => {
    expect(await messagesOf(`a: ${'x'.repeat(300_000)}`)).toEqual([
      ' the file has 300003 bytes, at most 256 KiB are read (is it YAML?)',
    ]);
  });

  it.each([
    ['brackets', '['.repeat(100_000)],
    ['maps in brackets', '{a: '.repeat(50_000)],
    ['dashes in a line', '- '.repeat(100_000)],
    ['questions in a line', '? '.repeat(100_000)],
    ['steps of indentation', Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
    ['lists in lists', `${Array.from({ length: 199 }, (_, i) => `${' '.repeat(i)}-\n`).join('')}`],
    [
      'aliases in aliases',
      Array.from({ length: 99 }, (_, i) => `k${i}: &k${i} [${i === 0 ? 1 : `*k${i - 1}`}]\n`).join(''),
    ],
    ['openings of references', `a: ${'${'.repeat(100_000)}`],
    ['an alias in itself', 'a: &a [*a, *a]'],
  ])('nested too deep by %s is refused, not followed', async (_what, text) => {
    const messages = await messagesOf(text);
    expect(
      messages.filter((message) => message.includes('values are nested more than 64 deep')),
    ).toHaveLength(1);
  });

  it('whose aliases unfold without end is refused', async () => {
    const lines = Array.from({ length: 12 }, (_, i) =>
      i === 0
        ? 'k0: &k0 [1,1,1,1,1,1,1,1,1,1]'
        : `k${i}: &k${i} [${Array(10)
            .fill(`*k${i - 1}`)
            .join(', ')}]`,
    );
    const messages = await messagesOf(`${lines.join('\n')}\nstages: [read]`);
    expect(messages).toContainEqual(expect.stringContaining('aliases unfold to more than 100000 values'));
  });

  it('whose references unfold without end is refused', async () => {
    const lists = Array.from(
      { length: 40 },
      (_, i) => `k${i}: ${i === 0 ? '[1, 1]' : `[\${k${i - 1}}, \${k${i - 1}}]`}`,
    );
    const inLists = await messagesOf(`${lists.join('\n')}\nstages: [read]`);
    expect(new Set(inLists.map((message) => message.replace(/^[\d:]+ /, '')))).toEqual(
      new Set(['references unfold to more than 100000 values']),
    );
    const texts = Array.from(
      { length: 60 },
      (_, i) => `k${i}: ${i === 0 ? 'xx' : `\${k${i - 1}}\${k${i - 1}}`}`,
    );
    const inText = await messagesOf(`${texts.join('\n')}\nstages: [read]`);
    expect(inText).toHaveLength(1);
    expect(inText[0]).toContain('references unfold to more than 65536 characters');
    const chain = Array.from({ length: 5000 }, (_, i) => `k${i}: \${k${i + 1}}`);
    expect(await messagesOf(`${chain.join('\n')}\nk5000: 1\nstages: [read]`)).toContainEqual(
      expect.stringContaining('references lead through more than 100 values'),
    );
  });

  it('with thirty thousand keys is read in no time worth noticing', async () => {
    const keys = Array.from({ length: 30_000 }, (_, i) => `k${i}:`).join('\n');
    expect(await messagesOf(`${keys}\nstages: [read]`)).toEqual([]);
  });

  it('may hold anchors and aliases, each alias meaning the anchor before it', async () => {
    const { pipeline, messages } = await load(
      'a: &x [&y 1]\nb: *x\nc: &y 2\nd: *y\ne: *x\nf: *y\nstages: [read]',
    );
    expect(messages).toEqual([]);
    expect(pipeline?.values).toMatchObject({ a: [1], b: [1], c: 2, d: 2, e: [1], f: 2 });
  });

  it('may hold references within brackets, with the positions behind them true', async () => {
    const { pipeline, messages } = await load(
      'p: 1\nstages: [{ a: { x: ${p}, y: "${p}", z: ${env:N,[1, 2]}, w: a${p}b } }, { b: ??? }]',
    );
    expect(pipeline?.values.stages).toMatchObject([{ a: { x: 1, y: 1, z: [1, 2], w: 'a1b' } }, {}]);
    expect(messages).toEqual([`${pipelineFile}:2:77: b has no value (add b=… to the command)`]);
  });

  it('may hold an opening that is never closed, in quotes', async () => {
    const { pipeline, messages } = await load('p: 1\nstages: [{ a: { x: "\\\\${", y: ${p}, z: "}" } }]');
    expect(messages).toEqual([]);
    expect(pipeline?.values.stages).toEqual([{ a: { x: '${', y: 1, z: '}' } }]);
    expect(await messagesOf(`stages: [read]\na: ${'${'.repeat(20)}`)).toEqual([
      '2:4: "${" is nested more than 16 deep (write \\${ for a literal ${)',
    ]);
  });

  it('may use any name for a key', async () => {
    const { pipeline, messages } = await load('__proto__: { x: 1 }\nconstructor: 2\nstages: [read]');
    expect(messages).toEqual([]);
    expect(Object.keys(pipeline?.values ?? {})).toEqual(['__proto__', 'constructor', 'stages']);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});
