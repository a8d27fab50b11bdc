import {
  type AutoScalingConfiguration,
  type AutoScalingConfigurationSummary,
  DescribeAutoScalingConfigurationCommand,
  paginateListAutoScalingConfigurations,
  paginateListServicesForAutoScalingConfiguration,
} from '@aws-sdk/client-apprunner';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { gather } from '../../aws/gather';

/** The latest revision of every auto scaling configuration. */
export function useConfigurations() {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['autoscaling', 'latest'],
    queryFn: (): Promise<AutoScalingConfigurationSummary[]> =>
      gather(paginateListAutoScalingConfigurations({ client: apprunner }, { LatestOnly: true }), (p) => p.AutoScalingConfigurationSummaryList),
  });
}

/** All active revisions of one configuration with their settings, the newest first. */
export function useRevisions(name: string) {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['autoscaling', 'of', name],
    queryFn: async (): Promise<AutoScalingConfiguration[]> => {
      const pages = paginateListAutoScalingConfigurations({ client: apprunner }, { AutoScalingConfigurationName: name, LatestOnly: false });
      const list = await gather(pages, (p) => p.AutoScalingConfigurationSummaryList);
      const all = await Promise.all(list.map(async ({ AutoScalingConfigurationArn }) =>
        (await apprunner.send(new DescribeAutoScalingConfigurationCommand({ AutoScalingConfigurationArn }))).AutoScalingConfiguration));
      return all.filter((c) => c !== undefined);
    },
  });
}

/** The ARNs of the services that use a revision. */
export function useUsedBy(arn: string) {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['autoscaling', 'users', arn],
    queryFn: (): Promise<string[]> =>
      gather(paginateListServicesForAutoScalingConfiguration({ client: apprunner }, { AutoScalingConfigurationArn: arn }), (p) => p.ServiceArnList),
  });
}
