// Preloaded into a process (NODE_OPTIONS=--import) where no small disk can be mounted: writing fails with ENOSPC while
// the folder SKYPASS_TEST_DISK holds more than SKYPASS_TEST_ROOM bytes.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const { SKYPASS_TEST_DISK: disk, SKYPASS_TEST_ROOM: room } = process.env;

function taken() {
  const names = fs.readdirSync(disk, { recursive: true });
  return names.reduce(
    (sum, name) => sum + (fs.statSync(join(disk, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function limited(write) {
  return function limitedWrite(...args) {
    if (taken() <= Number(room)) return write.apply(this, args);
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
  };
}

if (disk !== undefined && fs.existsSync(disk)) {
  const handle = await fs.promises.open('/dev/null', 'a');
  const methods = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ['write', 'writeFile', 'appendFile']) {
    const write = limited(methods[name]);
    methods[name] = async function limitedMethod(...args) {
      return write.apply(this, args);
    };
  }
  for (const name of ['writeSync', 'writeFileSync']) fs[name] = limited(fs[name]);
  syncBuiltinESMExports();
}
