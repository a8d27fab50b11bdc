import {
  DescribeServiceCommand, ListOperationsCommand, type OperationSummary, type Service, type ServiceStatus,
} from '@aws-sdk/client-apprunner';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';

/** How often, in milliseconds, what may change is asked for: while something is in progress, and else. */
const soon = 1500;
const later = 10_000;

export function pace(status: ServiceStatus | undefined): number {
  return status === 'OPERATION_IN_PROGRESS' ? soon : later;
}

/** A service, kept up to date. */
export function useService(arn: string) {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['service', arn],
    queryFn: async () => {
      const { Service: service } = await apprunner.send(new DescribeServiceCommand({ ServiceArn: arn }));
      if (!service) throw new Error(`DescribeService answered nothing about ${arn}`);
      return service;
    },
    refetchInterval: (query) => (query.state.error ? later : pace(query.state.data?.Status)),
  });
}

/** All operations of a service, newest first. */
export function useOperations(service: Service) {
  const { apprunner } = useClients();
  const arn = service.ServiceArn ?? '';
  return useQuery({
    // An operation that begins or ends changes the service's status, so the list is asked for anew with it.
    queryKey: ['service', arn, 'operations', service.Status],
    queryFn: async () => {
      const all: OperationSummary[] = [];
      let next: string | undefined;
      do {
        const page = await apprunner.send(new ListOperationsCommand({ ServiceArn: arn, NextToken: next }));
        all.push(...(page.OperationSummaryList ?? []));
        next = page.NextToken;
      } while (next);
      return all;
    },
    placeholderData: (before) => before,
    refetchInterval: pace(service.Status),
  });
}

/** How far back, in milliseconds, a failed instance counts against a service's health. */
const recently = 10 * 60_000;

/** What the events log says about instances of a service that failed of late. */
export function useFailures(service: Service) {
  const { logs } = useClients();
  return useQuery({
    queryKey: ['service', service.ServiceArn, 'failures'],
    enabled: service.Status === 'RUNNING',
    queryFn: async () => {
      const { events } = await logs.send(new FilterLogEventsCommand({
        logGroupName: logGroup(service, 'service'), logStreamNames: ['events'], startTime: Date.now() - recently, filterPattern: '"It is replaced."',
      }));
      return (events ?? []).map((event) => (event.message ?? '').replace('[AppRunner] ', ''));
    },
    refetchInterval: later,
  });
}

/** The name of one of the two log groups of a service. */
export function logGroup(service: Service, kind: 'service' | 'application'): string {
  return `/aws/apprunner/${service.ServiceName ?? ''}/${service.ServiceId ?? ''}/${kind}`;
}
