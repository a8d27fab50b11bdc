import type { DateRangePickerProps } from '@cloudscape-design/components/date-range-picker';

/** The time that is looked at; null is all of it. */
export type Range = DateRangePickerProps.Value | null;

/** A time in milliseconds since the epoch, open where nothing is said. */
export interface Span {
  startTime?: number;
  endTime?: number;
}

const units: Readonly<Record<string, number>> = { second: 1e3, minute: 6e4, hour: 36e5, day: 864e5, week: 7 * 864e5 };

/** What a range means now. */
export function spanOf(range: Range, now: number): Span {
  if (!range) return {};
  if (range.type === 'relative') return { startTime: now - range.amount * (units[range.unit] ?? 0) };
  return { startTime: Date.parse(range.startDate), endTime: Date.parse(range.endDate) + 1 };
}

/** Whether lines that come now are part of a range. */
export function isLive(range: Range): boolean {
  return range?.type !== 'absolute';
}
