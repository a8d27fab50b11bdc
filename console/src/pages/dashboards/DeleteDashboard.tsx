import { DeleteDashboardsCommand } from '@aws-sdk/client-cloudwatch';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

/** Deletes a dashboard after a question. */
export function DeleteDashboard({ name, close }: { name: string; close: () => void }) {
  const { cloudwatch } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => cloudwatch.send(new DeleteDashboardsCommand({ DashboardNames: [name] })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['dashboards'], exact: true });
      flash({ id: `dashboard ${name}`, type: 'success', header: `The dashboard ${name} is deleted` });
      close();
    },
  });
  return (
    <Dialog header={`Delete ${name}?`} submitText="Delete" submit={() => { mutate(); }} dismiss={close} busy={isPending} error={error}>
      What it draws stays: metrics are kept apart from dashboards.
    </Dialog>
  );
}
