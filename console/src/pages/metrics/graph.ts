import type { Dimension, MetricDataQuery } from '@aws-sdk/client-cloudwatch';

import type { Window } from './window';

/** One graph: what it is called and what it draws. */
export interface Graph {
  title: string;
  series: readonly Series[];
  /** The series stand one on the other: together they are a whole. */
  stacked: boolean;
}

/** One line of a graph: a statistic of a metric, or what is calculated from other series. Spelt as CloudWatch does. */
export interface Series {
  /** What expressions call it; unique in its graph. */
  id: string;
  label: string;
  of: Metric | { expression: string };
  /** It is there for expressions only. */
  hidden?: boolean;
  /** In milliseconds, where it is not that of the window. */
  period?: number;
}

export interface Metric {
  namespace: string;
  name: string;
  dimensions: readonly Dimension[];
  stat: string;
}

/** The figure of one period, which begins at a moment in milliseconds since the epoch. */
export interface Point {
  at: number;
  value: number;
}

/** A series with its figures, oldest first. */
export interface Line {
  title: string;
  unit: Unit;
  points: readonly Point[];
}

/** What figures count; '' where that is not known. */
export type Unit = 'ms' | '%' | 'bytes' | '';

const units: Readonly<Record<string, Unit>> = { RequestLatency: 'ms', CPUUtilization: '%', MemoryUtilization: '%' };

/** The unit of a series. */
export function unitOf({ of }: Series): Unit {
  if ('expression' in of || of.stat === 'SampleCount') return '';
  return units[of.name] ?? '';
}

/** The queries of GetMetricData for series. */
export function queriesOf(series: readonly Series[], window: Window): MetricDataQuery[] {
  return series.map(({ id, label, of, hidden = false, period = window.period }) => ({
    Id: id, Label: label, ReturnData: !hidden,
    ...('expression' in of
      ? { Expression: of.expression, Period: seconds(period) }
      : { MetricStat: { Metric: { Namespace: of.namespace, MetricName: of.name, Dimensions: [...of.dimensions] }, Stat: of.stat, Period: seconds(period) } }),
  }));
}

function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}

/** Whether a graph is drawn with bars: sums of one thing, or parts of a whole. What goes up and down is drawn with lines. */
export function hasBars({ series, stacked }: Graph): boolean {
  const [only, ...others] = series.filter((s) => !s.hidden);
  return stacked || (others.length === 0 && only !== undefined && 'stat' in only.of && only.of.stat === 'Sum');
}

/** Whether so many bars, with an axis beside them, can be seen in a width of pixels: of the room of each, Cloudscape takes a fifth and 2 pixels away. */
export function barsFit(count: number, width: number): boolean {
  return (width - 60) / count >= 3.2;
}

const statWords: Readonly<Record<string, string>> = { Sum: 'sum', Average: 'average', Minimum: 'minimum', Maximum: 'maximum', SampleCount: 'number of values' };

/** How people call a statistic: "average", "p95". */
export function statWord(stat: string): string {
  return statWords[stat] ?? stat;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });

/** A figure with its unit. */
export function shownFigure(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms': return Math.abs(value) < 1000 ? `${whole.format(value)} ms` : `${whole.format(value / 1000)} s`;
    case '%': return `${whole.format(value)} %`;
    case 'bytes': return `${short.format(value)}B`;
    case '': return whole.format(value);
  }
}

/** A figure at an axis, where there is little room. */
export function shownTick(value: number, unit: Unit): string {
  return unit === '' ? short.format(value) : shownFigure(value, unit);
}

/** What a graph shows, in words: for those who hear it. */
export function summaryOf(lines: readonly Line[]): string {
  return lines.map(({ title, unit, points }) => {
    const last = points.at(-1);
    if (!last) return `${title}: no data.`;
    const values = points.map((p) => p.value);
    const [low, high, now] = [Math.min(...values), Math.max(...values), last.value].map((v) => shownFigure(v, unit));
    return `${title}: latest ${now ?? ''}, lowest ${low ?? ''}, highest ${high ?? ''}.`;
  }).join(' ');
}

/** The upper end of an axis that everything fits below: never 0. */
export function topOf(lines: readonly Line[], stacked: boolean): number {
  const sums = new Map<number, number>();
  for (const { points } of lines) {
    for (const { at, value } of points) sums.set(at, stacked ? (sums.get(at) ?? 0) + value : Math.max(sums.get(at) ?? 0, value));
  }
  const highest = Math.max(0, ...sums.values());
  return highest === 0 ? 1 : highest * 1.05;
}

/** The lines as rows of a table, newest first. A row has the figures of one period, undefined where there is none. */
export function rowsOf(lines: readonly Line[]): { at: number; values: (number | undefined)[] }[] {
  const found = lines.map(({ points }) => new Map(points.map(({ at, value }) => [at, value])));
  const times = new Set(found.flatMap((points) => [...points.keys()]));
  return [...times].sort((a, b) => b - a).map((at) => ({ at, values: found.map((points) => points.get(at)) }));
}
