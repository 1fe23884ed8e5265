/** YAML text → located values. Whatever the text is, problems become lints and nothing is thrown. */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { maxFileBytes } from './decode.js';
import { type Entry, emptyMap, hole, type Located, type LocatedMap, scalar } from './located.js';
import { type Lint, type LintCode, lintAt, type Place } from './place.js';

const maxDepth = 64;
const maxValues = 100_000;

/**
 * `${a.b}` is not a YAML word inside `{ … }` or `[ … ]`, where people write it all the same. So its brackets
 * and commas are parsed as stand-ins of the same length (positions stay true), then put back.
 */
const shielded = '{}[],';
const standIns = '\u{FDD0}\u{FDD1}\u{FDD2}\u{FDD3}\u{FDD4}';

function shield(text: string): string {
  const open: number[] = [];
  const spans: (readonly [from: number, to: number])[] = [];
  for (const { 0: token, index } of text.matchAll(/\$\{|[}"'\n]/g)) {
    if (token === '${') open.push(index + 1);
    else if (token === '}') {
      const from = open.pop();
      if (from === undefined) continue;
      while ((spans.at(-1)?.[0] ?? -1) > from) spans.pop();
      spans.push([from, index + 1]);
    } else open.length = 0;
  }
  let done = 0;
  let result = '';
  for (const [from, to] of spans) {
    const inside = text
      .slice(from, to)
      .replace(/[{}[\],]/g, (char) => standIns.charAt(shielded.indexOf(char)));
    result += text.slice(done, from) + inside;
    done = to;
  }
  return result + text.slice(done);
}

const unshield = (text: string): string =>
  text.replace(/[\u{FDD0}-\u{FDD4}]/gu, (char) => shielded.charAt(standIns.indexOf(char)));

/** The parser recurses; refuse what would exhaust the stack before it is tried. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const [char] of text.replace(/(^|\s)#.*$/gm, '').matchAll(/[[\]{}]/g)) {
    depth = char === '[' || char === '{' ? depth + 1 : Math.max(0, depth - 1);
    if (depth > maxDepth) return true;
  }
  return /^[ \t]{200}/m.test(text) || /(?:[-?][ \t]+){64}/.test(text);
}

/**
 * The tree of a YAML file, which must be a map at the top.
 *
 * @returns undefined when the syntax is wrong; an empty file is an empty map
 */
export function parseYamlMap(file: string, text: string, lints: Lint[]): LocatedMap | undefined {
  const start: Place = { file, line: 1, column: 1 };
  if (isTooDeep(text)) {
    lints.push(lintAt(start, 'too_large', `values are nested more than ${maxDepth} deep`));
    return undefined;
  }
  const lineCounter = new LineCounter();
  const document = parseYaml(text, lineCounter);
  const placeOf = (offset: number): Place => {
    const { line, col } = lineCounter.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const syntax = syntaxErrors(document);
  for (const { offset, message, hint } of syntax)
    lints.push(lintAt(placeOf(offset), 'syntax', message, hint));
  if (syntax.length > 0) return undefined;
  if (document.contents === null) return emptyMap(start);

  const root = new Reader(document, placeOf, lints).read(document.contents);
  if (root.kind === 'map') return root;
  const isEmpty = root.kind === 'scalar' && root.value === null;
  if (isEmpty) return emptyMap(start);
  if (root.kind === 'hole') return undefined;
  lints.push(
    lintAt(
      root.at,
      'shape',
      `the file should be a map of keys, but is ${root.kind === 'list' ? 'a list' : 'text'}`,
    ),
  );
  return undefined;
}

/**
 * A value as it stands behind `key=` on the command line or in an environment variable: a YAML scalar, or a
 * list or map in brackets; text that YAML would read as anything else is that text.
 *
 * @returns the value, or what is wrong with its brackets or quotes
 */
export function parseValue(text: string, at: Place): Located | { readonly problem: string } {
  const trimmed = text.trim();
  if (trimmed === '') return scalar('', at);
  const isStructured = /^[[{"']/.test(trimmed);
  if (trimmed.length > maxFileBytes || isTooDeep(trimmed)) return { problem: 'too long or too deep' };
  const document = parseYaml(trimmed, undefined);
  const [error] = syntaxErrors(document);
  const node = document.contents;
  const isWhole = error === undefined && node?.range?.[1] === trimmed.length && !trimmed.includes('\n');
  // Plain text that YAML reads as more than itself (an anchor, a tag, the head of a block) stays text.
  const isPlain = isScalar(node) && node.type === 'PLAIN' && unshield(node.source ?? '') === trimmed;
  if (node !== null && isWhole && (isPlain || isStructured)) {
    const lints: Lint[] = [];
    const value = new Reader(document, () => at, lints).read(node);
    return lints[0] === undefined ? value : { problem: lints[0].message };
  }
  return isStructured ? { problem: error?.message ?? 'text behind the value' } : scalar(text, at);
}

function parseYaml(text: string, lineCounter: LineCounter | undefined): Document.Parsed {
  // Duplicate keys are looked for when the tree is read: yaml's own search is quadratic.
  const options = { prettyErrors: false, stringKeys: true, uniqueKeys: false, version: '1.2' } as const;
  return parseDocument(shield(text), lineCounter === undefined ? options : { ...options, lineCounter });
}

interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
  readonly hint: string | undefined;
}

function syntaxErrors(document: Document.Parsed): SyntaxProblem[] {
  return [...document.errors, ...document.warnings].map(({ code, message, pos }) => {
    const tab = code === 'TAB_AS_INDENT' ? 'indent with spaces' : undefined;
    const documents = code === 'MULTIPLE_DOCS' ? 'keep one pipeline in a file' : undefined;
    const said =
      code === 'MULTIPLE_DOCS' ? 'a second document begins here' : unshield(message.split('\n')[0] ?? '');
    return { offset: pos[0], message: said, hint: tab ?? documents };
  });
}

/** What each alias stands for, in one walk; yaml's own search starts anew for every alias. */
function targetsOf(document: Document.Parsed): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_key, node) => {
      const target = isAlias(node) ? anchors.get(node.source) : undefined;
      if (isAlias(node) && target !== undefined) targets.set(node, target);
      if (!isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

/** Walks yaml's nodes once; aliases are written out, within a bound on the number of values. */
class Reader {
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #placeOf: (offset: number) => Place;
  readonly #lints: Lint[];
  #values = 0;
  #isTooDeep = false;

  constructor(document: Document.Parsed, placeOf: (offset: number) => Place, lints: Lint[]) {
    this.#targets = targetsOf(document);
    this.#placeOf = placeOf;
    this.#lints = lints;
  }

  /** What cannot be read is a hole, and a lint says why. */
  read(node: unknown, depth = 0): Located {
    const at = this.#placeOf((node as Node | null)?.range?.[0] ?? 0);
    this.#values++;
    if (this.#values > maxValues) {
      const isFirst = this.#values === maxValues + 1;
      return isFirst
        ? this.#refuse(at, 'too_large', `aliases unfold to more than ${maxValues} values`)
        : hole(at);
    }
    if (depth > maxDepth) {
      if (this.#isTooDeep) return hole(at);
      this.#isTooDeep = true;
      return this.#refuse(at, 'too_large', `values are nested more than ${maxDepth} deep`);
    }
    if (isAlias(node)) {
      const target = this.#targets.get(node);
      if (target !== undefined) return this.read(target, depth + 1);
      return this.#refuse(at, 'syntax', `no anchor &${node.source} stands before this alias`);
    }
    if (isScalar(node)) return this.#scalar(node, at);
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.read(item, depth + 1)), at };
    return isMap(node) ? this.#map(node, at, depth) : scalar(null, at);
  }

  #map(node: YAMLMap, at: Place, depth: number): LocatedMap {
    const entries = new Map<string, Entry>();
    for (const pair of node.items) {
      const keyNode = pair.key as Scalar<unknown>;
      const keyAt = this.#placeOf(keyNode.range?.[0] ?? 0);
      const key = unshield(String(keyNode.value ?? ''));
      const earlier = entries.get(key);
      if (earlier === undefined) {
        const value = pair.value === null ? scalar(null, keyAt) : this.read(pair.value, depth + 1);
        entries.set(key, { keyAt, value });
      } else {
        const hint = `it stands in line ${earlier.keyAt.line} already`;
        this.#refuse(keyAt, 'duplicate_key', `the key "${key}" is written twice`, hint);
      }
    }
    return { kind: 'map', entries, at };
  }

  #scalar(node: Scalar<unknown>, at: Place): Located {
    const { value } = node;
    const comment = node.comment?.trim();
    if (typeof value === 'string') {
      const text = unshield(value);
      return { kind: 'scalar', value: text, text, comment, at };
    }
    if (value === null || typeof value === 'number' || typeof value === 'boolean') {
      return { kind: 'scalar', value, text: node.source ?? String(value ?? ''), comment, at };
    }
    return this.#refuse(at, 'syntax', 'only text, numbers, true, false, lists and maps are read');
  }

  #refuse(at: Place, code: LintCode, message: string, hint?: string): Located {
    this.#lints.push(lintAt(at, code, message, hint));
    return hole(at);
  }
}
