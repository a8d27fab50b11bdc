import type { Service } from '@aws-sdk/client-apprunner';

import { OperationsTable } from './OperationsTable';

/** What was done with a service. */
export function ActivityTab({ service }: { service: Service }) {
  return <OperationsTable service={service} title="Activity" noun="operation" nouns="operations" />;
}
