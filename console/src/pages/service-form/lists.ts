import {
  paginateListAutoScalingConfigurations,
  paginateListConnections,
  paginateListVpcConnectors,
  type AutoScalingConfigurationSummary,
  type ConnectionSummary,
  type VpcConnector,
} from '@aws-sdk/client-apprunner';
import { paginateDescribeImages, paginateDescribeRepositories, type Repository } from '@aws-sdk/client-ecr';
import { paginateListRoles, type Role } from '@aws-sdk/client-iam';
import { paginateListAliases, paginateListKeys } from '@aws-sdk/client-kms';
import { ListWebACLsCommand, type WebACLSummary } from '@aws-sdk/client-wafv2';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { gather } from '../../aws/gather';

/** What the choices of the form are made from. Each hook reads all pages, once, and again when the form is opened anew. */

/** The repositories of the built-in registry. */
export function useRepositories() {
  const { ecr } = useClients();
  return useQuery({
    queryKey: ['ecr', 'repositories'],
    queryFn: (): Promise<Repository[]> => gather(paginateDescribeRepositories({ client: ecr }, {}), (p) => p.repositories),
  });
}

/** One tag of a repository, and when its image was pushed. */
export interface ImageTag {
  tag: string;
  pushed: Date | undefined;
}

/** The tags of a repository, the newest image first. */
export function useImageTags(repositoryName: string) {
  const { ecr } = useClients();
  return useQuery({
    queryKey: ['ecr', 'tags', repositoryName],
    enabled: repositoryName !== '',
    queryFn: async (): Promise<ImageTag[]> => {
      const images = await gather(paginateDescribeImages({ client: ecr }, { repositoryName }), (p) => p.imageDetails);
      return images
        .flatMap((image) => (image.imageTags ?? []).map((tag) => ({ tag, pushed: image.imagePushedAt })))
        .sort((a, b) => (b.pushed?.getTime() ?? 0) - (a.pushed?.getTime() ?? 0));
    },
  });
}

/** A key that copies can be encrypted with. */
export interface Key {
  arn: string;
  /** Its aliases, or its id where it has none. */
  name: string;
}

/** The keys of the region, but for those that AWS services keep for themselves. */
export function useKeys() {
  const { kms } = useClients();
  return useQuery({
    queryKey: ['kms', 'keys'],
    queryFn: async (): Promise<Key[]> => {
      const [keys, aliases] = await Promise.all([
        gather(paginateListKeys({ client: kms }, {}), (p) => p.Keys), gather(paginateListAliases({ client: kms }, {}), (p) => p.Aliases),
      ]);
      return keys.flatMap(({ KeyArn: arn = '', KeyId: id = '' }) => {
        const names = aliases.filter((alias) => alias.TargetKeyId === id).map((alias) => alias.AliasName ?? '');
        return names.some((name) => name.startsWith('alias/aws/')) ? [] : [{ arn, name: names.join(', ') || id }];
      });
    },
  });
}

/** Whom a role must trust to be of use: to pull images, or to be what the application acts as. */
export const principals = { access: 'build.apprunner.amazonaws.com', instance: 'tasks.apprunner.amazonaws.com' } as const;

/** All roles of the account, of which `trusting` picks. */
export function useRoles() {
  const { iam } = useClients();
  return useQuery({
    queryKey: ['iam', 'roles'],
    queryFn: (): Promise<Role[]> => gather(paginateListRoles({ client: iam }, {}), (p) => p.Roles),
  });
}

/** The roles whose trust policy names a service. IAM sends the policy as a URL component. */
export function trusting(roles: readonly Role[] | undefined, principal: string): Role[] {
  return (roles ?? []).filter((role) => decodeURIComponent(role.AssumeRolePolicyDocument ?? '').includes(principal));
}

/** The connections to providers; asked for again while one of them waits for its handshake. */
export function useConnections() {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['connections'],
    queryFn: (): Promise<ConnectionSummary[]> => gather(paginateListConnections({ client: apprunner }, {}), (p) => p.ConnectionSummaryList),
    refetchInterval: ({ state }) => (state.data?.some((c) => c.Status === 'PENDING_HANDSHAKE') ? 3000 : false),
  });
}

/** All active revisions of auto scaling configurations. */
export function useScalings() {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['autoscaling', 'revisions'],
    queryFn: async (): Promise<AutoScalingConfigurationSummary[]> => {
      const pages = paginateListAutoScalingConfigurations({ client: apprunner }, { LatestOnly: false });
      const all = await gather(pages, (p) => p.AutoScalingConfigurationSummaryList);
      return all.filter((c) => c.Status?.toUpperCase() === 'ACTIVE');
    },
  });
}

/** The active VPC connectors. */
export function useConnectors(wanted: boolean) {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['vpcconnectors', 'active'],
    enabled: wanted,
    queryFn: async (): Promise<VpcConnector[]> => {
      const all = await gather(paginateListVpcConnectors({ client: apprunner }, {}), (p) => p.VpcConnectors);
      return all.filter((c) => c.Status === 'ACTIVE');
    },
  });
}

/** The web ACLs of the region. WAF has no paginator of its own. */
export function useWebAcls() {
  const { wafv2 } = useClients();
  return useQuery({
    queryKey: ['wafv2', 'acls'],
    queryFn: async (): Promise<WebACLSummary[]> => {
      const all: WebACLSummary[] = [];
      let next: string | undefined;
      do {
        const page = await wafv2.send(new ListWebACLsCommand({ Scope: 'REGIONAL', Limit: 100, NextMarker: next }));
        all.push(...(page.WebACLs ?? []));
        next = page.NextMarker;
      } while (next !== undefined && next !== '');
      return all;
    },
  });
}
