import type { Service } from '@aws-sdk/client-apprunner';

import { logGroup } from '../service/queries';

/** A log that can be read: one stream of a group, or all as one. */
export interface Log {
  group: string;
  /** Absent: all streams of the group, merged. */
  stream?: string;
  title: string;
  /** What its file is called when it is downloaded. */
  file: string;
}

export interface Line {
  time: number;
  /** The instance or operation whose line it is. */
  stream: string;
  text: string;
}

export type LogKind = 'service' | 'application';

/** The log of a stream, or without one of all instances of a service. */
export function logOf(service: Service, kind: LogKind, stream?: string): Log {
  const name = service.ServiceName ?? '';
  const part = stream ?? 'application';
  return { group: logGroup(service, kind), ...(stream ? { stream } : {}), title: titleOf(kind, stream), file: `${name}-${part.replaceAll('/', '-')}.log` };
}

function titleOf(kind: LogKind, stream: string | undefined): string {
  if (!stream) return 'Application log of all instances';
  if (stream === 'events') return 'Event log';
  const [what = '', id = ''] = stream.split('/');
  return kind === 'application' ? `Application log of instance ${id}` : `${what.charAt(0).toUpperCase()}${what.slice(1)} log ${id}`;
}

/** Where in the console a log is shown in full. */
export function logPath(service: Service, kind: LogKind, stream?: string): string {
  const query = stream ? `?${new URLSearchParams({ stream }).toString()}` : '';
  return `/services/${encodeURIComponent(service.ServiceArn ?? '')}/log/${kind}${query}`;
}
