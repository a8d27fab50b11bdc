import type { Dimension } from '@aws-sdk/client-cloudwatch';

import type { Graph, Series } from './graph';

/** The namespace of App Runner's metrics. */
const namespace = 'AWS/AppRunner';

/** What tells the metrics of a service from those of others. */
export interface Measured {
  ServiceName?: string | undefined;
  ServiceId?: string | undefined;
}

function dimensionsOf({ ServiceName = '', ServiceId = '' }: Measured): Dimension[] {
  return [{ Name: 'ServiceName', Value: ServiceName }, { Name: 'ServiceID', Value: ServiceId }];
}

/** The graphs of a service: all metrics that it has as a whole. Ids of series are unique among all of them. */
export function graphsOf(service: Measured): Graph[] {
  const of = (id: string, label: string, name: string, stat: string): Series => (
    { id, label, of: { namespace, name, dimensions: dimensionsOf(service), stat } }
  );
  const line = (title: string, ...series: Series[]): Graph => ({ title, series, stacked: false });
  return [
    line('Requests', of('requests', 'Requests', 'Requests', 'Sum')),
    {
      title: 'Responses by status', stacked: true,
      series: [of('ok', '2xx', '2xxStatusResponses', 'Sum'), of('refused', '4xx', '4xxStatusResponses', 'Sum'), of('failed', '5xx', '5xxStatusResponses', 'Sum')],
    },
    line('Request latency', ...['p50', 'p95', 'p99'].map((p) => of(p, p, 'RequestLatency', p)), of('mean', 'Average', 'RequestLatency', 'Average')),
    line('Active instances', of('active', 'Active instances', 'ActiveInstances', 'Maximum')),
    line('Concurrency', of('concurrency', 'Requests in progress', 'Concurrency', 'Average'), of('crowd', 'Highest', 'Concurrency', 'Maximum')),
    line('CPU utilization', of('cpu', 'Average', 'CPUUtilization', 'Average'), of('cpuhigh', 'Highest', 'CPUUtilization', 'Maximum')),
    line('Memory utilization', of('memory', 'Average', 'MemoryUtilization', 'Average'), of('memoryhigh', 'Highest', 'MemoryUtilization', 'Maximum')),
  ];
}

/** A graph as it is called where there are those of other services too. */
export function named(graph: Graph, serviceName = ''): Graph {
  return { ...graph, title: `${serviceName}: ${graph.title}` };
}
