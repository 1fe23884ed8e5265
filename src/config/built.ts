/**
 * Where a file that only exists after `npm run build` lies: worker entry points and WebAssembly kernels.
 *
 * From `dist/` a sibling is a sibling. From `src/` (tests run TypeScript directly, but Node cannot start a
 * worker thread from it) the twin under `dist/` is meant.
 *
 * @param from `import.meta.url` of the caller
 * @param name path of the built file relative to the caller, such as `./pixels-worker.js`
 */
export function builtUrl(from: string, name: string): URL {
  const url = new URL(name, from);
  if (from.endsWith('.ts')) url.pathname = url.pathname.replace(/\/src\/(?!.*\/src\/)/, '/dist/');
  return url;
}
