/** From values to places along an axis. */
import type { Axis } from '../chart.js';
import { linearTicks, logTicks, type Ticks } from './ticks.js';

/** An axis whose ends are known. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  /** 0 at the low end, 1 at the high end; NaN for what has no place, as 0 on a logarithmic axis. */
  place(value: number): number;
  /** About so many ticks. */
  ticks(most: number): Ticks;
}

/** Room between the outermost values and the frame, as a part of the axis. */
const margin = 0.04;

/** An axis that shows all values that are finite (and positive where it is logarithmic), or what its limits say. */
export function scaleOf(
  { scale = 'linear', limits = [], isCount = false }: Axis,
  values: readonly ArrayLike<number>[],
): Scale {
  const isLog = scale === 'log';
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const numbers of values) {
    for (let i = 0; i < numbers.length; i++) {
      const value = numbers[i] as number;
      if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) [low, high] = isLog ? [0.1, 1] : [0, 1];
  const forth = isLog ? Math.log10 : (value: number) => value;
  const back = isLog ? (place: number) => 10 ** place : (place: number) => place;
  let [from, to] = [forth(limits[0] ?? low), forth(limits[1] ?? high)];
  if (!(to > from)) {
    const room = isLog ? 0.5 : Math.abs(from) * 0.1 || 0.5;
    [from, to] = [from - room, from + room];
  } else {
    const room = margin * (to - from);
    if (limits[0] === undefined) from -= room;
    if (limits[1] === undefined) to += room;
  }
  const span = to - from;
  return {
    low: back(from),
    high: back(to),
    place: (value) => (isLog && !(value > 0) ? Number.NaN : (forth(value) - from) / span),
    ticks: (most) => {
      if (isLog) return logTicks(back(from), back(to), most);
      const whole = Math.floor(to) - Math.ceil(from);
      if (!isCount || whole < 1) return linearTicks(from, to, most);
      const made = linearTicks(from, to, Math.min(most, whole + 1));
      return { ...made, minor: made.minor.filter((value) => Math.abs(value - Math.round(value)) < 1e-6) };
    },
  };
}
