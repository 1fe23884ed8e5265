// Writes the float32 pixels of a band again and again; prints the seconds of each time and the bytes written.
//
//     node write-band.mjs PIXELS.f32 SIDE OUT rice|image TIMES
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { writeFits } from '../../dist/formats/fits/write/writer.js';

const [pixels, side, out, form, times] = process.argv.slice(2);
const width = Number(side);
const fd = openSync(pixels, 'r');
let buffer = new Float32Array(0);
/** Rows come from the page cache, as they would from a renderer's memory. */
const rows = (y0, y1) => {
  if (buffer.length < (y1 - y0) * width) buffer = new Float32Array((y1 - y0) * width);
  const bytes = new Uint8Array(buffer.buffer, 0, 4 * (y1 - y0) * width);
  readSync(fd, bytes, 0, bytes.length, 4 * y0 * width);
  return buffer;
};
const kind = form === 'rice' ? { kind: 'compressed', as: 'rice' } : { kind: 'image' };
const measured = [];
let bytes = 0;
for (let time = 0; time < Number(times); time++) {
  const start = performance.now();
  const before = process.cpuUsage();
  writeFits(out, [{ kind: 'empty' }, { ...kind, bitpix: -32, name: 'SCI', width, height: width, rows }]);
  const { user, system } = process.cpuUsage(before);
  measured.push({ wall: (performance.now() - start) / 1e3, cpu: (user + system) / 1e6 });
  bytes = statSync(out).size;
  rmSync(out);
}
closeSync(fd);
console.log(JSON.stringify({ times: measured, bytes }));
