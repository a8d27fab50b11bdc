import type { Service } from '@aws-sdk/client-apprunner';
import Link from '@cloudscape-design/components/link';

import { useSession } from '../session/session';

/** A link that opens the application of a service. */
export function DomainLink({ service: { ServiceUrl: host, Status: status } }: { service: Partial<Pick<Service, 'ServiceUrl' | 'Status'>> }) {
  const { settings: { HTTPSPort: port } } = useSession();
  if (!host || status === 'DELETED') return <>–</>;
  const url = `https://${host}${port === 443 ? '' : `:${String(port)}`}`;
  return <Link external href={url} externalIconAriaLabel="Opens in a new tab">{host}</Link>;
}
