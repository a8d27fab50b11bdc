import type { Service } from '@aws-sdk/client-apprunner';
import { useMemo } from 'react';

import { useFigures } from './figures';
import type { Point } from './graph';
import { graphsOf } from './service';

/** How often the traffic of a service is asked for, in milliseconds. */
const every = 30_000;

/** The requests of a running service in the last hour, and how many of them were answered with 5xx. */
export function useTraffic({ ServiceName: name, ServiceId: id, Status: status }: Service) {
  const series = useMemo(() => {
    if (status !== 'RUNNING') return [];
    return graphsOf({ ServiceName: name, ServiceId: id }).flatMap((graph) => graph.series).filter((s) => s.id === 'requests' || s.id === 'failed');
  }, [name, id, status]);
  const { data, error } = useFigures({ series, range: { last: '1h' }, every });
  return { error, data: data && { requests: sum(data.points.get('requests')), failed: sum(data.points.get('failed')) } };
}

function sum(points: readonly Point[] = []): number {
  return points.reduce((all, { value }) => all + value, 0);
}
