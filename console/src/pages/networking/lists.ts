import { paginateListVpcIngressConnections } from '@aws-sdk/client-apprunner';
import {
  paginateDescribeSecurityGroups,
  paginateDescribeSubnets,
  paginateDescribeVpcEndpoints,
  paginateDescribeVpcs,
  type SecurityGroup,
  type Subnet,
  type Tag,
  type Vpc,
  type VpcEndpoint,
} from '@aws-sdk/client-ec2';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { gather } from '../../aws/gather';
import { useSession } from '../../session/session';

/** The VPCs of the region. */
export function useVpcs() {
  const { ec2 } = useClients();
  return useQuery({
    queryKey: ['ec2', 'vpcs'],
    queryFn: (): Promise<Vpc[]> => gather(paginateDescribeVpcs({ client: ec2 }, {}), (p) => p.Vpcs),
  });
}

/** The subnets of a VPC, by zone. */
export function useSubnets(vpcId: string) {
  const { ec2 } = useClients();
  return useQuery({
    queryKey: ['ec2', 'subnets', vpcId],
    enabled: vpcId !== '',
    queryFn: async (): Promise<Subnet[]> => {
      const all = await gather(paginateDescribeSubnets({ client: ec2 }, { Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }), (p) => p.Subnets);
      return all.sort((a, b) => (a.AvailabilityZone ?? '').localeCompare(b.AvailabilityZone ?? ''));
    },
  });
}

/** The security groups of a VPC. */
export function useGroups(vpcId: string) {
  const { ec2 } = useClients();
  return useQuery({
    queryKey: ['ec2', 'groups', vpcId],
    enabled: vpcId !== '',
    queryFn: (): Promise<SecurityGroup[]> =>
      gather(paginateDescribeSecurityGroups({ client: ec2 }, { Filters: [{ Name: 'vpc-id', Values: [vpcId] }] }), (p) => p.SecurityGroups),
  });
}

/** An interface endpoint for private services, and the services that are reached through it. */
export interface Endpoint extends VpcEndpoint {
  services: string[];
}

/** The service name of endpoints for private services. */
export const requestsService = (region: string) => `com.amazonaws.${region}.apprunner.requests`;

const settled = new Set(['available', 'failed', 'rejected', 'expired']);

/** The interface endpoints for private services with their services, as long as they are not deleted. */
export function useEndpoints(wanted = true) {
  const { apprunner, ec2 } = useClients();
  const { region } = useSession();
  return useQuery({
    queryKey: ['ec2', 'endpoints'],
    enabled: wanted,
    queryFn: async (): Promise<Endpoint[]> => {
      const Filters = [{ Name: 'service-name', Values: [requestsService(region)] }];
      const all = await gather(paginateDescribeVpcEndpoints({ client: ec2 }, { Filters }), (p) => p.VpcEndpoints);
      return Promise.all(all.filter((e) => e.State?.toLowerCase() !== 'deleted').map(async (endpoint) => {
        const pages = paginateListVpcIngressConnections({ client: apprunner }, { Filter: { VpcEndpointId: endpoint.VpcEndpointId } });
        const joined = await gather(pages, (p) => p.VpcIngressConnectionSummaryList);
        return { ...endpoint, services: joined.map((c) => c.ServiceArn ?? '') };
      }));
    },
    refetchInterval: ({ state }) => (state.data?.some((e) => !settled.has((e.State ?? '').toLowerCase())) ? 2000 : false),
  });
}

/** The name that a resource of EC2 has by its tag, else its id. */
export function nameOf(tags: readonly Tag[] | undefined, id: string | undefined): string {
  return tags?.find((t) => t.Key === 'Name')?.Value || (id ?? '');
}
