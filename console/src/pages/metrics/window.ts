/** A time that is drawn, cut into periods of the same length. All in milliseconds, the ends since the epoch. */
export interface Window {
  start: number;
  end: number;
  period: number;
}

/** The time that a person has chosen: so long until now, or from one moment to another (milliseconds since the epoch). */
export type Range = { last: Duration } | { from: number; to: number };

export type Duration = (typeof durations)[number];

/** The durations to choose from. */
export const durations = ['1h', '3h', '12h', '1d', '3d', '1w'] as const;

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const lengths: Record<Duration, number> = { '1h': hour, '3h': 3 * hour, '12h': 12 * hour, '1d': day, '3d': 3 * day, '1w': 7 * day };

/** The periods that figures are put together to, shortest first. */
const periods = [...[1, 2, 5, 10, 15, 30].map((n) => n * minute), ...[1, 2, 3, 6, 12, 24].map((n) => n * hour)];

/** How many periods a graph has at most, as far as there are periods long enough. */
export const most = 100;

/** The shortest period of figures that are so old: CloudWatch keeps older ones less finely. */
function finest(age: number): number {
  if (age > 63 * day) return hour;
  return age > 15 * day ? 5 * minute : minute;
}

/** The period for a time of a length whose beginning is so old. */
export function periodFor(length: number, age: number): number {
  return periods.find((period) => period >= finest(age) && length / period <= most) ?? day;
}

/** What a range means now. It begins and ends with whole periods, the present one included. */
export function windowOf(range: Range, now: number): Window {
  const from = 'last' in range ? now - lengths[range.last] : range.from;
  const to = 'last' in range ? now : range.to;
  const period = periodFor(to - from, now - from);
  const end = Math.ceil(to / period) * period;
  const start = 'last' in range ? end - lengths[range.last] : Math.floor(from / period) * period;
  return { start, end, period };
}

/** The beginnings of all periods. */
export function periodsOf({ start, end, period }: Window): number[] {
  return Array.from({ length: Math.round((end - start) / period) }, (_, i) => start + i * period);
}

/** Whether figures that come now are part of a range. */
export function isLive(range: Range): boolean {
  return 'last' in range;
}

/** What is wrong with a range of a person's own; undefined if nothing is. */
export function checkRange(from: number, to: number, now: number): string | undefined {
  if (Number.isNaN(from) || Number.isNaN(to)) return 'Choose when it begins and when it ends.';
  if (from >= to) return 'The time has to end after it begins.';
  return from > now ? 'The time has not begun yet.' : undefined;
}

/** A range as it stands in an address: "12h", or two moments with "~" between. */
export function rangeText(range: Range): string {
  return 'last' in range ? range.last : `${new Date(range.from).toISOString()}~${new Date(range.to).toISOString()}`;
}

/** The range of an address; the last hour where it has none that is meant so. */
export function readRange(text: string | null, now: number): Range {
  const last = durations.find((d) => d === text);
  if (last) return { last };
  const [from = NaN, to = NaN] = (text ?? '').split('~').map((part) => Date.parse(part));
  return checkRange(from, to, now) === undefined ? { from, to } : { last: '1h' };
}

/** "5 minutes" for a period. */
export function periodWords(period: number): string {
  const [n, unit] = period % day === 0 ? [period / day, 'day'] : period % hour === 0 ? [period / hour, 'hour'] : [period / minute, 'minute'];
  return n === 1 ? unit : `${String(n)} ${unit}s`;
}
