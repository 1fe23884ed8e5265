// Builds dist/: TypeScript with tsc (incremental), the WebAssembly kernels with AssemblyScript.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => join(root, 'node_modules', ...name);

/** Runs a compiler; what it has to say it says itself. */
function run(script, args) {
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(status ?? 1);
}

run(bin(['typescript', 'bin', 'tsc']), [
  '-p',
  'tsconfig.json',
  '--incremental',
  '--tsBuildInfoFile',
  'dist/.tsbuildinfo',
]);

const isNewer = (source, target) =>
  !existsSync(target) || statSync(source).mtimeMs > statSync(target).mtimeMs;

for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.as.ts')) continue;
  const source = join(entry.parentPath, entry.name);
  const wasm = join(root, 'dist', relative(join(root, 'src'), source)).replace(/\.as\.ts$/, '.wasm');
  if (!isNewer(source, wasm)) continue;
  mkdirSync(dirname(wasm), { recursive: true });
  run(bin(['assemblyscript', 'bin', 'asc.js']), [
    relative(root, source),
    '--outFile',
    relative(root, wasm),
    '--optimizeLevel',
    '3',
    '--shrinkLevel',
    '0',
    '--noAssert',
    '--converge',
    '--runtime',
    'stub',
    '--enable',
    'simd',
    '--enable',
    'bulk-memory',
  ]);
}
