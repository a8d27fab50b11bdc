import { type AutoScalingConfigurationSummary, DeleteAutoScalingConfigurationCommand } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';

interface Props {
  revision: AutoScalingConfigurationSummary;
  /** The whole configuration goes, not only this revision. */
  all?: boolean;
  close: () => void;
}

/** Asks once more, and deletes a revision or all of them. */
export function DeleteConfiguration({ revision, all, close }: Props) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const { AutoScalingConfigurationArn: arn = '', AutoScalingConfigurationName: name = '' } = revision;
  const what = all ? `all revisions of ${name}` : `revision ${String(revision.AutoScalingConfigurationRevision)} of ${name}`;
  const remove = useMutation({
    // The ARN of all revisions ends in the name.
    mutationFn: () => apprunner.send(new DeleteAutoScalingConfigurationCommand(
      all ? { AutoScalingConfigurationArn: arn.split('/').slice(0, 2).join('/'), DeleteAllRevisions: true } : { AutoScalingConfigurationArn: arn },
    )),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ['autoscaling'] });
      flash({ type: 'success', content: `Deleted ${what}.` });
      close();
    },
  });
  return (
    <Dialog header={all ? 'Delete auto scaling configuration' : 'Delete revision'} submitText="Delete" submit={() => { remove.mutate(); }} dismiss={close} busy={remove.isPending} error={remove.error}>
      <Box>Delete <b>{what}</b>? What a service uses, and the default, cannot be deleted.</Box>
    </Dialog>
  );
}
