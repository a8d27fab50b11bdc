import { ListServicesCommand, type ServiceSummary } from '@aws-sdk/client-apprunner';
import { useQuery } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { pace } from '../service/queries';

/** All services of the account in the region, kept up to date. */
export function useServices() {
  const { apprunner } = useClients();
  return useQuery({
    queryKey: ['services'],
    queryFn: async () => {
      const all: ServiceSummary[] = [];
      let NextToken: string | undefined;
      do {
        const page = await apprunner.send(new ListServicesCommand({ NextToken }));
        all.push(...(page.ServiceSummaryList ?? []));
        NextToken = page.NextToken;
      } while (NextToken);
      return all;
    },
    refetchInterval: ({ state: { data } }) => pace(data?.find((service) => service.Status === 'OPERATION_IN_PROGRESS')?.Status),
  });
}
