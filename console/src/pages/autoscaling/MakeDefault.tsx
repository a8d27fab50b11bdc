import { type AutoScalingConfigurationSummary, UpdateDefaultAutoScalingConfigurationCommand } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

/** Makes a revision the one that new services get. */
export function MakeDefault({ revision, close }: { revision: AutoScalingConfigurationSummary; close: () => void }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const what = `${revision.AutoScalingConfigurationName ?? ''}, revision ${String(revision.AutoScalingConfigurationRevision)}`;
  const change = useMutation({
    mutationFn: () => apprunner.send(new UpdateDefaultAutoScalingConfigurationCommand({ AutoScalingConfigurationArn: revision.AutoScalingConfigurationArn })),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['autoscaling'] });
      flash({ type: 'success', content: `The default is now ${what}.` });
      close();
    },
  });
  return (
    <Dialog header="Set as default" submitText="Set as default" submit={() => { change.mutate(); }} dismiss={close} busy={change.isPending} error={change.error}>
      <Box>New services that name no configuration get <b>{what}</b>. Services that exist keep theirs.</Box>
    </Dialog>
  );
}
