// Decodes one band REPEATS times in this process, as a worker of the read stage does: strips of rows into one shared
// buffer. Prints a JSON line: wall and CPU seconds of each time, the first one with cold code.
//
//     node decode-band.mjs BAND.fits.fz REPEATS simd|scalar
import { readSync } from 'node:fs';
import { ditherSequence, exactZero } from '../../dist/formats/fits/dither.js';
import { openFits } from '../../dist/formats/fits/file.js';
import { Kernels } from '../../dist/formats/fits/kernels.js';
import { PlaneReader } from '../../dist/formats/fits/plane.js';
import { planPlane } from '../../dist/formats/fits/plane-plan.js';
import { closeRegion, openRegion } from '../../dist/formats/fits/source.js';

const rowsPerStrip = 64;
const [path, repeats, variant] = process.argv.slice(2);

/** What SIMD gives: the same Rice kernel, then dither and scale one pixel at a time in JavaScript (SUBTRACTIVE_DITHER_2). */
class ScalarReader {
  #kernels = Kernels.create();
  #randoms = ditherSequence();
  #bytes = Buffer.alloc(1 << 20);

  constructor(plan) {
    this.plan = plan;
    this.integers = new Int32Array(plan.width);
  }

  readRows(y0, y1, into) {
    const { region, width, storage } = this.plan;
    for (let y = y0; y < y1; y++) {
      const length = storage.lengths[y];
      readSync(region.fd, this.#bytes, 0, length, region.offset + storage.starts[y]);
      this.#kernels.riceToInt(this.#bytes, 0, length, width, storage.blockSize, 4, this.integers, 0);
      const { scales, zeros, blanks, seedIndex } = storage.quanta;
      const seed = (seedIndex + y) % this.#randoms.length;
      dequantize(
        this.integers,
        this.#randoms,
        seed,
        scales[y],
        zeros[y],
        blanks[y] | 0,
        into,
        (y - y0) * width,
      );
    }
  }
}

function dequantize(integers, randoms, seedIndex, scale, zero, blank, into, at) {
  let lap = seedIndex;
  let k = Math.floor(randoms[lap] * 500);
  for (let i = 0; i < integers.length; i++) {
    const integer = integers[i];
    if (integer === blank) into[at + i] = Number.NaN;
    else if (integer === exactZero) into[at + i] = 0;
    else into[at + i] = (integer - randoms[k] + 0.5) * scale + zero;
    if (++k === randoms.length) {
      lap = (lap + 1) % randoms.length;
      k = Math.floor(randoms[lap] * 500);
    }
  }
}

const times = [];
let checksum = 0;
for (let i = 0; i < Number(repeats); i++) {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  const region = openRegion(path);
  const plan = planPlane(openFits(region), 1);
  const reader = variant === 'scalar' ? new ScalarReader(plan) : new PlaneReader(plan);
  const strip = new Float32Array(new SharedArrayBuffer(4 * plan.width * rowsPerStrip));
  const bits = new Uint32Array(strip.buffer);
  checksum = 0;
  for (let y = 0; y < plan.height; y += rowsPerStrip) {
    reader.readRows(y, Math.min(y + rowsPerStrip, plan.height), strip);
    for (let j = y % 97; j < bits.length; j += 997) checksum = (Math.imul(checksum, 31) + bits[j]) | 0;
  }
  closeRegion(region);
  const { user, system } = process.cpuUsage(cpu);
  times.push({ wall: (performance.now() - wall) / 1000, cpu: (user + system) / 1e6 });
}
console.log(JSON.stringify({ times, checksum }));
