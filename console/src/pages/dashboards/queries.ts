import { type CloudWatchClient, GetDashboardCommand, paginateListDashboards, PutDashboardCommand } from '@aws-sdk/client-cloudwatch';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { gather } from '../../aws/gather';
import { useFlash } from '../../shell/flash';
import { type Body, readBody } from './body';

/** All dashboards of the account. */
export function useDashboards() {
  const { cloudwatch } = useClients();
  return useQuery({
    queryKey: ['dashboards'],
    queryFn: () => gather(paginateListDashboards({ client: cloudwatch }, {}), (page) => page.DashboardEntries),
  });
}

/** A dashboard: its text, as it is kept. */
export function useDashboard(name: string) {
  const { cloudwatch } = useClients();
  return useQuery({ queryKey: ['dashboards', name], queryFn: () => textOf(cloudwatch, name) });
}

async function textOf(cloudwatch: CloudWatchClient, name: string): Promise<string> {
  const { DashboardBody: text = '' } = await cloudwatch.send(new GetDashboardCommand({ DashboardName: name }));
  return text;
}

/** What becomes of a dashboard. */
export interface Change {
  name: string;
  /** It begins with nothing, not with what is there. */
  anew: boolean;
  to: (body: Body) => Body;
}

/** Changes dashboards. What CloudWatch has to say about their text is shown. */
export function useChange(done: (change: Change) => void) {
  const { cloudwatch } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  return useMutation({
    mutationFn: async ({ name, anew, to }: Change) => {
      const body: Body = anew ? { widgets: [] } : readBody(await textOf(cloudwatch, name));
      return cloudwatch.send(new PutDashboardCommand({ DashboardName: name, DashboardBody: JSON.stringify(to(body), null, 2) }));
    },
    onSuccess: async ({ DashboardValidationMessages: messages = [] }, change) => {
      await cache.invalidateQueries({ queryKey: ['dashboards'] });
      done(change);
      if (messages.length === 0) return;
      const content = messages.map(({ DataPath: path, Message: text }) => `${path ?? ''}: ${text ?? ''}`).join(' ');
      flash({ id: `dashboard ${change.name}`, type: 'warning', header: `The dashboard ${change.name} is saved, but not all of it is understood`, content });
    },
  });
}
