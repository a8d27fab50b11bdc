import { type CloudWatchClient, type MetricDataResult, paginateGetMetricData } from '@aws-sdk/client-cloudwatch';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { gather } from '../../aws/gather';
import { type Line, type Point, queriesOf, type Series, unitOf } from './graph';
import { isLive, type Range, type Window, windowOf } from './window';

/** The figures of series in a window, by the ids of the series. */
export interface Figures {
  window: Window;
  points: ReadonlyMap<string, readonly Point[]>;
}

interface Wish {
  series: readonly Series[];
  range: Range;
  /** How often they are asked for again, in milliseconds; false for never. A time that is over is asked for once. */
  every: number | false;
  /** The region, where it is not the chosen one. */
  region?: string | undefined;
}

/** Reads the figures of series and keeps them up to date. */
export function useFigures({ series, range, every, region }: Wish) {
  const { cloudwatchIn } = useClients();
  return useQuery({
    queryKey: ['figures', region, series, range],
    queryFn: () => read(cloudwatchIn(region), series, windowOf(range, Date.now())),
    // Those of another time of the same series stay until the new ones are there.
    placeholderData: (before, query) => (JSON.stringify(query?.queryKey.slice(0, 3)) === JSON.stringify(['figures', region, series]) ? before : undefined),
    refetchInterval: isLive(range) ? every : false,
  });
}

async function read(client: CloudWatchClient, series: readonly Series[], window: Window): Promise<Figures> {
  const points = new Map<string, Point[]>();
  if (series.length === 0) return { window, points };
  const pages = paginateGetMetricData({ client }, {
    MetricDataQueries: queriesOf(series, window), StartTime: new Date(window.start), EndTime: new Date(window.end), ScanBy: 'TimestampAscending',
  });
  for (const result of await gather(pages, (page) => page.MetricDataResults)) {
    const id = result.Id ?? '';
    points.set(id, [...(points.get(id) ?? []), ...pointsOf(result)]);
  }
  return { window, points };
}

function pointsOf({ Timestamps: times = [], Values: values = [] }: MetricDataResult): Point[] {
  return times.flatMap((at, i) => {
    const value = values[i];
    return value === undefined ? [] : [{ at: at.getTime(), value }];
  });
}

/** The lines that series draw. */
export function linesOf(series: readonly Series[], figures: Figures): Line[] {
  return series.filter((s) => !s.hidden).map((s) => ({ title: s.label, unit: unitOf(s), points: figures.points.get(s.id) ?? [] }));
}
