/** Angles as astronomers write them, and round numbers for scales. */

const pad = (value: number, digits: number, decimals: number): string =>
  value.toFixed(decimals).padStart(decimals > 0 ? digits + decimals + 1 : digits, '0');

/** Degrees, minutes and seconds (or hours) of a positive number; rounding carries over: 59.996 s is one minute. */
function sixtieths(value: number, decimals: number): [number, number, number] {
  const unit = 10 ** decimals;
  const total = Math.round(value * 3600 * unit);
  const [whole, rest] = [Math.floor(total / (3600 * unit)), total % (3600 * unit)];
  return [whole, Math.floor(rest / (60 * unit)), (rest % (60 * unit)) / unit];
}

/** Right ascension in degrees as `00h01m23.40s`. */
export function formatRa(degrees: number, decimals = 1): string {
  const [hours, minutes, seconds] = sixtieths((((degrees % 360) + 360) % 360) / 15, decimals);
  return `${pad(hours % 24, 2, 0)}h${pad(minutes, 2, 0)}m${pad(seconds, 2, decimals)}s`;
}

/** Declination in degrees as `−05°41′00″`, with a minus sign that is one. */
export function formatDec(degrees: number, decimals = 0): string {
  const [whole, minutes, seconds] = sixtieths(Math.abs(degrees), decimals);
  return `${degrees < 0 ? '−' : '+'}${pad(whole, 2, 0)}°${pad(minutes, 2, 0)}′${pad(seconds, 2, decimals)}″`;
}

/** An angle in arcseconds in the unit that suits it: `12″`, `2.2′`, `1.5°`. */
export function formatAngle(arcsec: number): string {
  const [value, unit] =
    arcsec < 60 ? [arcsec, '″'] : arcsec < 3600 ? [arcsec / 60, '′'] : [arcsec / 3600, '°'];
  return `${Number(value.toPrecision(value < 10 ? 2 : 3))}${unit}`;
}

const roundAngles = [1, 2, 5, 10, 20, 30].flatMap((n) => [n, 60 * n, 3600 * n]).sort((a, b) => a - b);

/** The largest angle people count in (1, 2, 5, 10, 20 or 30 of a unit; below 1″ of a decade) that is at most this one. */
export function roundAngle(arcsec: number): number {
  return roundAngles.findLast((angle) => angle <= arcsec) ?? roundNumber(arcsec);
}

/** The largest of 1, 2 and 5 times a power of ten that is at most this positive number. */
export function roundNumber(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  const step = [5, 2, 1].find((digit) => digit * power <= value * (1 + 1e-12)) ?? 1;
  return Number((step * power).toPrecision(12));
}

/** Round numbers from `low` to `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): readonly number[] {
  if (!(high > low)) return [low];
  const wanted = (high - low) / count;
  const step = [1, 2, 5, 10]
    .map((digit) => digit * 10 ** Math.floor(Math.log10(wanted)))
    .find((each) => each >= wanted * 0.999) as number;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
