/** The rules of the house, read off the source. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../src/engine/errors.js';

const root = join(import.meta.dirname, '../../src');

interface SourceFile {
  /** Relative to `src`. */
  readonly path: string;
  readonly text: string;
  /** Files and packages it imports; files relative to `src`, ending in `.ts`. */
  readonly imports: readonly {
    readonly from: string;
    readonly names: readonly string[];
    readonly isType: boolean;
  }[];
  /** The program without comments and the insides of strings. */
  readonly code: string;
}

const files: readonly SourceFile[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, text, imports: importsOf(path, text), code: codeOf(text) };
  });

function importsOf(path: string, text: string): SourceFile['imports'] {
  const program = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return program.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    if (statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const { text: from } = statement.moduleSpecifier;
    const clause = ts.isImportDeclaration(statement) ? statement.importClause : undefined;
    const bindings = clause?.namedBindings;
    const elements = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : [];
    return [
      {
        from: from.startsWith('.')
          ? relative(root, join(root, dirname(path), from)).replace(/\.js$/, '.ts')
          : from,
        names: elements
          .filter(({ isTypeOnly }) => !isTypeOnly)
          .map(({ name, propertyName }) => (propertyName ?? name).text),
        isType: clause?.isTypeOnly ?? false,
      },
    ];
  });
}

function codeOf(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  const parts: string[] = [];
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    const isText =
      token === ts.SyntaxKind.StringLiteral || token === ts.SyntaxKind.NoSubstitutionTemplateLiteral;
    parts.push(isText ? '""' : scanner.getTokenText());
  }
  return parts.join(' ');
}

/** Places that break a rule, one line each, so that a failure names all of them. */
const where = (select: (file: SourceFile) => boolean): readonly string[] =>
  files.filter(select).map(({ path }) => path);

it('there is something to read', () => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.find(({ path }) => path === 'engine/run.ts')?.imports.map(({ from }) => from)).toContain(
    'engine/ledger.ts',
  );
});

describe('rooms', () => {
  /** From the top of the house down; rooms on one floor do not know each other. */
  const floors = [
    ['cli'],
    ['pipelines'],
    ['operators'],
    ['cluster', 'encoders'],
    ['engine', 'formats'],
    ['config', 'science'],
  ];
  const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room));
  const roomOf = (path: string): string | undefined =>
    path.includes('/') ? (path.split('/')[0] as string) : undefined;

  it('are the ones on the plan', () => {
    const rooms = new Set(files.map(({ path }) => roomOf(path)).filter((room) => room !== undefined));
    expect([...rooms].filter((room) => floorOf(room) < 0)).toEqual([]);
  });

  it('import downwards only', () => {
    const upwards = files.flatMap(({ path, imports }) => {
      const room = roomOf(path);
      if (room === undefined) return [];
      return imports.flatMap(({ from }) => {
        if (!from.endsWith('.ts')) return [];
        const other = roomOf(from);
        const isFree = other === room || other === undefined || floorOf(other) > floorOf(room);
        return isFree ? [] : [`${path} imports ${from}`];
      });
    });
    expect(upwards).toEqual([]);
  });

  it('are entered by files that exist', () => {
    const known = new Set(files.map(({ path }) => path));
    const missing = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ from }) => from.endsWith('.ts') && !known.has(from))
        .map(({ from }) => `${path} imports ${from}`),
    );
    expect(missing).toEqual([]);
  });

  it('leave files to formats and streams to operators: science knows neither', () => {
    expect(
      where(
        ({ path, imports }) =>
          path.startsWith('science/') &&
          // A hash is a pure function of its input.
          imports.some(({ from }) => (from.startsWith('node:') && from !== 'node:crypto') || from === 'rxjs'),
      ),
    ).toEqual([]);
    expect(
      where(
        ({ path, imports }) =>
          path.startsWith('formats/') && imports.some(({ from }) => from.startsWith('rxjs')),
      ),
    ).toEqual([]);
  });

  it('speak to the terminal only in cli', () => {
    expect(where(({ path, code }) => !path.startsWith('cli/') && /\bconsole \./.test(code))).toEqual([]);
  });
});

describe('flow', () => {
  /** The parts of RxJS that make no Observable of their own and buffer nothing. */
  const harmless = new Set([
    'Observable',
    'OperatorFunction',
    'MonoTypeOperatorFunction',
    'Subscription',
    'filter',
    'map',
    'tap',
    'pipe',
  ]);
  const isFlow = ({ path }: SourceFile): boolean => path === 'engine/flow.ts';

  it('is made and subscribed to in engine/flow.ts alone', () => {
    const makers = files
      .filter((file) => !isFlow(file))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ from, isType }) => from.startsWith('rxjs') && !isType)
          .flatMap(({ names }) =>
            names.filter((name) => !harmless.has(name)).map((name) => `${path} uses ${name}`),
          ),
      );
    expect(makers).toEqual([]);
    expect(where((file) => !isFlow(file) && /\. subscribe \(|new Observable\b/.test(file.code))).toEqual([]);
  });

  it('has no operator that buffers without a bound', () => {
    expect(
      where((file) =>
        /\b(toArray|bufferTime|shareReplay|mergeMap|concatMap|ReplaySubject) [(<]/.test(file.code),
      ),
    ).toEqual([]);
  });
});

describe('operators', () => {
  const tags = ['@emits', '@waits', '@completes', '@fails', '@order', '@memory'];

  it('say when they emit, wait, complete and fail, in what order, and what they may hold', () => {
    const silent = files
      .filter(({ path }) => /^operators\/[^/]+\.ts$/.test(path))
      .flatMap(({ path, text }) => {
        const missing = tags.filter((tag) => !new RegExp(`\\* ${tag}\\s+\\S`).test(text));
        return missing.length === 0 ? [] : [`${path}: ${missing.join(' ')}`];
      });
    expect(silent).toEqual([]);
  });
});

describe('files', () => {
  it('are short enough to be read', () => {
    const long = files
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > 400);
    expect(long.map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([]);
  });

  it('export by name, and leave nothing for later', () => {
    expect(where(({ code }) => /\bexport default\b/.test(code))).toEqual([]);
    expect(where(({ text }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text))).toEqual([]);
    expect(where(({ code }) => /(: any\b|< any\b|\bas any\b)/.test(code))).toEqual([]);
  });
});

describe('error codes', () => {
  it('thrown below the engine are on the engine’s list', () => {
    const pattern = /new (?:\w+Error) \( ?'([a-z]+(?:_[a-z0-9]+)+)'|\bcode [:=] '([a-z]+(?:_[a-z0-9]+)+)'/g;
    const unknown = files
      .filter(({ path }) => /^(formats|science|encoders|operators|pipelines)\//.test(path))
      .flatMap(({ path, text }) =>
        [...text.replace(/\s+/g, ' ').replaceAll(': ', ' : ').replaceAll('(', ' ( ').matchAll(pattern)]
          .map((match) => (match[1] ?? match[2]) as string)
          .filter((code) => !Object.hasOwn(errorCodes, code))
          .map((code) => `${path}: ${code}`),
      );
    expect(unknown).toEqual([]);
  });

  it('that formats and science declare are on the engine’s list', () => {
    const declared = files
      .filter(({ path }) => /^(formats|science|encoders)\//.test(path))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/type \w*ErrorCode =([^;]*);/g)].flatMap(([, union]) =>
          [...(union as string).matchAll(/'(\w+)'/g)].map(([, code]) => ({ path, code: code as string })),
        ),
      );
    expect(declared.length).toBeGreaterThan(10);
    expect(declared.filter(({ code }) => !Object.hasOwn(errorCodes, code))).toEqual([]);
  });

  it('are all used', () => {
    const elsewhere = files
      .filter(({ path }) => path !== 'engine/errors.ts')
      .map(({ text }) => text)
      .join('\n');
    expect(Object.keys(errorCodes).filter((code) => !elsewhere.includes(`'${code}'`))).toEqual([]);
  });
});
