// Preloaded into a process (NODE_OPTIONS=--import): takes every free file descriptor once the file appears that
// SKYPASS_TEST_HOG names, and those that become free later.
import { existsSync, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const trigger = process.env.SKYPASS_TEST_HOG;

function takeAll() {
  try {
    for (;;) openSync('/dev/null', 'r');
  } catch {
    // None is left.
  }
}

if (isMainThread && trigger !== undefined) {
  setInterval(() => {
    if (existsSync(trigger)) takeAll();
  }, 1).unref();
}
