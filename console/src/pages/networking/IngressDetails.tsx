import type { VpcIngressConnectionStatus } from '@aws-sdk/client-apprunner';
import KeyValuePairs from '@cloudscape-design/components/key-value-pairs';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

import { useClients } from '../../aws/clients';
import { faultOf } from '../../aws/errors';
import type { Shown } from '../../words/status';
import { ingressOf } from './ingress';
import { plans } from './plans';

const statuses: Record<VpcIngressConnectionStatus, Shown> = {
  AVAILABLE: { text: 'Available', type: 'success' },
  PENDING_CREATION: { text: 'Being created', type: 'in-progress' },
  PENDING_UPDATE: { text: 'Being updated', type: 'in-progress' },
  PENDING_DELETION: { text: 'Being deleted', type: 'in-progress' },
  FAILED_CREATION: { text: 'Creation failed', type: 'error' },
  FAILED_UPDATE: { text: 'Update failed', type: 'error' },
  FAILED_DELETION: { text: 'Deletion failed', type: 'error' },
  DELETED: { text: 'Deleted', type: 'stopped' },
};

/** The endpoint at which a private service is reached, and how far its joining is. */
export function IngressDetails({ serviceArn }: { serviceArn: string }) {
  const { apprunner } = useClients();
  const plan = useSyncExternalStore(plans.subscribe, plans.now).find((p) => p.serviceArn === serviceArn);
  const { data, error } = useQuery({
    queryKey: ['service', serviceArn, 'ingress'],
    queryFn: async () => (await ingressOf(apprunner, serviceArn)) ?? null,
    refetchInterval: ({ state }) => (plan || state.data?.Status?.startsWith('PENDING') ? 2000 : false),
  });
  if (error) return <StatusIndicator type="error">{faultOf(error).code}: {faultOf(error).message}</StatusIndicator>;
  if (plan && !data) return <StatusIndicator type="pending">The service is joined to {plan.vpcEndpointId} as soon as it runs.</StatusIndicator>;
  if (data === undefined) return <StatusIndicator type="loading">Loading the VPC ingress connection</StatusIndicator>;
  if (data === null) return <StatusIndicator type="warning">The service is joined to no endpoint, so nobody reaches it. Edit this section to choose one.</StatusIndicator>;
  const { text, type } = statuses[data.Status ?? 'PENDING_CREATION'] ?? { text: data.Status, type: 'info' };
  return (
    <KeyValuePairs
      columns={3}
      items={[
        { label: 'VPC', value: data.IngressVpcConfiguration?.VpcId },
        { label: 'VPC interface endpoint', value: data.IngressVpcConfiguration?.VpcEndpointId },
        { label: 'VPC ingress connection', value: <StatusIndicator type={type}>{text}</StatusIndicator> },
      ]}
    />
  );
}
