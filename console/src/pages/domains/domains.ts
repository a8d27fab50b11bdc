import {
  type CertificateValidationRecord,
  type CustomDomain,
  type CustomDomainAssociationStatus,
  DescribeCustomDomainsCommand,
  type VpcDNSTarget,
} from '@aws-sdk/client-apprunner';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import type { Shown } from '../../words/status';

/** The custom domains of a service, and where their names have to lead. */
export interface Domains {
  list: CustomDomain[];
  /** The service's default domain. */
  target: string;
  /** One for each VPC ingress connection. */
  vpcTargets: VpcDNSTarget[];
}

const settled = new Set(['ACTIVE', 'CREATE_FAILED', 'DELETE_FAILED']);

/** The status as the API's model has it: installations can be set to spell it in lower case. */
const statusOf = (domain: CustomDomain) => (domain.Status ?? 'CREATING').toUpperCase() as CustomDomainAssociationStatus;

/** The custom domains of a service, asked for again while one of them is on its way. */
export function useDomains(serviceArn: string) {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['service', serviceArn, 'domains'],
    queryFn: async (): Promise<Domains> => {
      const all: Domains = { list: [], target: '', vpcTargets: [] };
      let NextToken: string | undefined;
      do {
        const page = await apprunner.send(new DescribeCustomDomainsCommand({ ServiceArn: serviceArn, NextToken }));
        all.list.push(...(page.CustomDomains ?? []));
        all.target = page.DNSTarget ?? '';
        all.vpcTargets = page.VpcDNSTargets ?? [];
        NextToken = page.NextToken;
      } while (NextToken);
      return all;
    },
    refetchInterval: ({ state }) => (state.data?.list.some((d) => !settled.has(statusOf(d))) ? 2000 : false),
  });
}

const statuses: Record<CustomDomainAssociationStatus, Shown> = {
  CREATING: { text: 'Creating', type: 'in-progress' },
  PENDING_CERTIFICATE_DNS_VALIDATION: { text: 'Pending certificate DNS validation', type: 'pending' },
  BINDING_CERTIFICATE: { text: 'Binding certificate', type: 'in-progress' },
  ACTIVE: { text: 'Active', type: 'success' },
  CREATE_FAILED: { text: 'Create failed', type: 'error' },
  DELETING: { text: 'Deleting', type: 'in-progress' },
  DELETE_FAILED: { text: 'Delete failed', type: 'error' },
};

/** How the status of a domain is shown. */
export function domainStatus(domain: CustomDomain): Shown {
  const status = statusOf(domain);
  return statuses[status] ?? { text: status, type: 'info' };
}

/** Whether a domain can be unlinked now. */
export function mayUnlink(domain: CustomDomain): boolean {
  return !['CREATING', 'DELETING'].includes(statusOf(domain));
}

/** One DNS record that the owner of a domain has to make. */
export interface DNSRecord {
  purpose: string;
  name: string;
  type: string;
  value: string;
  /** What is known about it; undefined: nothing is checked. */
  status?: Shown;
}

const recordStatuses: Record<string, Shown> = {
  PENDING_VALIDATION: { text: 'Pending validation', type: 'pending' },
  SUCCESS: { text: 'Success', type: 'success' },
  FAILED: { text: 'Failed', type: 'error' },
};

function validation({ Name: name = '', Type: type = 'CNAME', Value: value = '', Status: status }: CertificateValidationRecord): DNSRecord {
  const known = status ?? 'PENDING_VALIDATION';
  return { purpose: 'Certificate validation', name, type, value, status: recordStatuses[known.toUpperCase()] ?? { text: known, type: 'info' } };
}

/** The records for a domain: those that prove control over it, and those that lead its names to the service. */
export function recordsOf(domain: CustomDomain, target: string): DNSRecord[] {
  const name = domain.DomainName ?? '';
  const names = domain.EnableWWWSubdomain ? [name, `www.${name}`] : [name];
  return [
    ...(domain.CertificateValidationRecords ?? []).map(validation),
    ...names.map((n) => ({ purpose: 'DNS target', name: n, type: 'CNAME or ALIAS', value: target })),
  ];
}

/** What is wrong with a name to link; "" if nothing is. */
export function checkDomain(name: string): string {
  if (name === '') return 'A domain name is required.';
  if (name.length > 255 || !/^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}$/i.test(name)) {
    return `${JSON.stringify(name)} is not allowed; use a name such as example.com, login.example.com or *.example.com.`;
  }
  return '';
}
