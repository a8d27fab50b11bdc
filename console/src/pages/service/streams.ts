import type { OperationSummary, Service } from '@aws-sdk/client-apprunner';
import { ResourceNotFoundException } from '@aws-sdk/client-cloudwatch-logs';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import type { LogKind } from '../logs/log';
import { streamsOf } from '../logs/read';
import { logGroup } from './queries';

/** The streams of a log group of a service, those that wrote last first. */
export function useStreams(service: Service, kind: LogKind) {
  const { logs } = useClients();
  return useQuery({
    queryKey: ['service', service.ServiceArn, 'streams', kind, service.Status],
    queryFn: async () => {
      try {
        return await streamsOf(logs, logGroup(service, kind));
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return [];
        throw error;
      }
    },
    placeholderData: (before) => before,
    refetchInterval: 5000,
  });
}

/** The stream that an operation writes to, if it has written. Names of streams have the id without dashes. */
export function streamOf(operation: OperationSummary, streams: readonly string[]): string | undefined {
  const end = `/${(operation.Id ?? '').replaceAll('-', '')}`;
  return streams.find((stream) => stream.endsWith(end));
}
