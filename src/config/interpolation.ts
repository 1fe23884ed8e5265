/** Replaces `${a.b}` and `${env:NAME}` in a whole configuration. */
import {
  child,
  type Entry,
  hole,
  type Located,
  type LocatedMap,
  type LocatedScalar,
  scalar,
} from './located.js';
import { didYouMean } from './nearest.js';
import { type Lint, type LintCode, lintAt } from './place.js';
import { isTemplate, parseTemplate, type Template } from './template.js';
import { parseValue } from './yaml-text.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const maxChain = 100;
const maxText = 64 * 1024;
const maxValues = 100_000;

/**
 * The configuration with every reference replaced. A value that is one reference takes the type and the
 * position of what it refers to; a reference within text becomes text. What cannot be resolved is a hole,
 * and a lint says why.
 */
export function interpolate(root: LocatedMap, env: Environment, lints: Lint[]): LocatedMap {
  return new Interpolation(root, env, lints).run();
}

class Interpolation {
  readonly #root: LocatedMap;
  readonly #env: Environment;
  readonly #lints: Lint[];
  readonly #done = new Map<Located, Located>();
  /** How many values a resolved tree unfolds to: shared parts count every time. */
  readonly #sizes = new Map<Located, number>();
  /** Nodes being resolved, each with the reference that led to it. */
  readonly #open = new Map<Located, string | undefined>();

  constructor(root: LocatedMap, env: Environment, lints: Lint[]) {
    this.#root = root;
    this.#env = env;
    this.#lints = lints;
  }

  run(): LocatedMap {
    const entries = new Map<string, Entry>();
    for (const [key, { keyAt, value }] of this.#root.entries)
      entries.set(key, { keyAt, value: this.#resolve(value) });
    const resolved: LocatedMap = { ...this.#root, entries };
    const size = this.#sizeOf([...entries.values()].map(({ value }) => value));
    if (size <= maxValues) return resolved;
    this.#refuse(this.#root, 'too_large', `references unfold to more than ${maxValues} values`);
    const holes = [...entries].map(
      ([key, { keyAt, value }]) => [key, { keyAt, value: hole(value.at) }] as const,
    );
    return { ...this.#root, entries: new Map(holes) };
  }

  #resolve(node: Located, reference?: string): Located {
    if (node.kind === 'hole' || (node.kind === 'scalar' && !this.#isOpenText(node))) return node;
    const done = this.#done.get(node);
    if (done !== undefined) return done;
    if (this.#open.has(node)) return this.#circle(node, reference);
    if (this.#open.size >= maxChain) {
      return this.#refuse(node, 'interpolation', `references lead through more than ${maxChain} values`);
    }
    this.#open.set(node, reference);
    const resolved = this.#unfold(node);
    this.#open.delete(node);
    this.#done.set(node, resolved);
    return resolved;
  }

  #isOpenText(node: LocatedScalar): boolean {
    return typeof node.value === 'string' && isTemplate(node.value);
  }

  #unfold(node: Exclude<Located, { kind: 'hole' }>): Located {
    if (node.kind === 'scalar') return this.#text(node);
    if (node.kind === 'list') {
      const items = node.items.map((item) => this.#resolve(item));
      return this.#sized({ ...node, items }, items);
    }
    const entries = new Map<string, Entry>();
    for (const [key, { keyAt, value }] of node.entries)
      entries.set(key, { keyAt, value: this.#resolve(value) });
    return this.#sized(
      { ...node, entries },
      [...entries.values()].map(({ value }) => value),
    );
  }

  #sized(node: Located, children: readonly Located[]): Located {
    const size = this.#sizeOf(children);
    if (size > maxValues)
      return this.#refuse(node, 'too_large', `references unfold to more than ${maxValues} values`);
    this.#sizes.set(node, size);
    return node;
  }

  #sizeOf(children: readonly Located[]): number {
    return children.reduce((sum, each) => sum + (this.#sizes.get(each) ?? 1), 1);
  }

  #text(node: LocatedScalar): Located {
    const template = parseTemplate(String(node.value));
    if ('problem' in template)
      return this.#refuse(node, 'interpolation', template.problem, 'write \\${ for a literal ${');
    const [first] = template;
    if (template.length === 1 && typeof first === 'object') return this.#reference(node, first.inside);
    const text = this.#compose(node, template);
    return text === undefined ? hole(node.at) : scalar(text, node.at);
  }

  /** A template as text, or undefined when a part of it is a hole. */
  #compose(node: LocatedScalar, template: Template): string | undefined {
    let text = '';
    for (const part of template) {
      const value = typeof part === 'string' ? scalar(part, node.at) : this.#reference(node, part.inside);
      if (value.kind === 'hole') return undefined;
      if (value.kind !== 'scalar') {
        this.#refuse(
          node,
          'interpolation',
          `a ${value.kind} cannot stand within text`,
          'make the reference the whole value',
        );
        return undefined;
      }
      text += value.text;
      if (text.length > maxText) {
        this.#refuse(node, 'too_large', `references unfold to more than ${maxText} characters of text`);
        return undefined;
      }
    }
    return text;
  }

  #reference(node: LocatedScalar, inside: Template): Located {
    const text = this.#compose(node, inside);
    if (text === undefined) return hole(node.at);
    return text.startsWith('env:') ? this.#environment(node, text.slice(4)) : this.#lookUp(node, text);
  }

  #environment(node: LocatedScalar, text: string): Located {
    const [, name = '', fallback] = /^([^,]*)(?:,(.*))?$/s.exec(text) ?? [];
    const value = Object.hasOwn(this.#env, name.trim()) ? this.#env[name.trim()] : undefined;
    if (value === undefined && fallback === undefined) {
      const hint = `export ${name.trim()}=…, or give a default: \${env:${name.trim()},default}`;
      return this.#refuse(node, 'environment', `the environment variable ${name.trim()} is not set`, hint);
    }
    const written = value ?? fallback ?? '';
    const parsed = parseValue(written, node.at);
    return 'problem' in parsed ? scalar(written, node.at) : parsed;
  }

  #lookUp(node: LocatedScalar, path: string): Located {
    const keys = path.split('.').map((key) => key.trim());
    let found: Located = this.#root;
    for (const [i, key] of keys.entries()) {
      // A step may lead through another reference; only text is resolved, for a map may hold this very value.
      if (found.kind === 'scalar') found = this.#resolve(found, path);
      if (found.kind === 'hole') return found;
      const next = child(found, key);
      if (next === undefined) return this.#unknown(node, keys, i, found);
      found = next;
    }
    return this.#resolve(found, path);
  }

  #unknown(node: LocatedScalar, keys: readonly string[], i: number, parent: Located): Located {
    const prefix = keys
      .slice(0, i)
      .map((key) => `${key}.`)
      .join('');
    const known = parent.kind === 'map' ? [...parent.entries.keys()].map((key) => prefix + key) : [];
    const hint =
      keys[0] === '' ? 'references start at the top of the pipeline' : didYouMean(prefix + keys[i], known);
    return this.#refuse(node, 'unknown_reference', `\${${keys.join('.')}} refers to nothing`, hint);
  }

  #circle(node: Located, reference: string | undefined): Located {
    const chain = [...this.#open.entries()];
    const from = chain.findIndex(([open]) => open === node);
    const steps = [...chain.slice(from + 1).map(([, step]) => step), reference].filter(
      (step) => step !== undefined,
    );
    const circle = [steps.at(-1), ...steps].map((step) => `\${${step}}`).join(' → ');
    return this.#refuse(node, 'circular_reference', `references go round in a circle: ${circle}`);
  }

  #refuse(node: Located, code: LintCode, message: string, hint?: string): Located {
    this.#lints.push(lintAt(node.at, code, message, hint));
    return hole(node.at);
  }
}
