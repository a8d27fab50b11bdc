import { PauseServiceCommand, ResumeServiceCommand, type Service, StartDeploymentCommand } from '@aws-sdk/client-apprunner';
import Button from '@cloudscape-design/components/button';
import ButtonDropdown, { type ButtonDropdownProps } from '@cloudscape-design/components/button-dropdown';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { useFlash, useFlashError } from '../../shell/flash';
import { InfoLink } from '../../shell/page';
import { type Action, whyNot } from './actions';
import { DeleteService } from './DeleteService';
import { help } from './help';

/** The name of a service and what can be done with it. */
export function DashboardHeader({ service }: { service: Service }) {
  const [deleting, setDeleting] = useState(false);
  const { start, isPending } = useActions(service);
  const refusal = whyNot('deploy', service.Status);
  const item = (id: Action, text: string): ButtonDropdownProps.Item => {
    const reason = whyNot(id, service.Status);
    return { id, text, disabled: reason !== undefined, ...(reason ? { disabledReason: reason } : {}) };
  };
  return (
    <>
      <Header
        variant="h1"
        info={<InfoLink help={help} about="this page" />}
        actions={
          <SpaceBetween direction="horizontal" size="xs">
            <ButtonDropdown
              items={[item('pause', 'Pause'), item('resume', 'Resume'), item('delete', 'Delete')]}
              onItemClick={({ detail }) => { if (detail.id === 'delete') setDeleting(true); else start(detail.id as Simple); }}
            >
              Actions
            </ButtonDropdown>
            <Button
              variant="primary" loading={isPending} disabled={refusal !== undefined} {...(refusal ? { disabledReason: refusal } : {})}
              onClick={() => { start('deploy'); }}
            >
              Deploy
            </Button>
          </SpaceBetween>
        }
      >
        {service.ServiceName}
      </Header>
      {deleting && <DeleteService service={service} close={() => { setDeleting(false); }} />}
    </>
  );
}

/** The actions that need no question first. */
type Simple = Exclude<Action, 'delete'>;

const words: Record<Simple, { done: string; failed: string }> = {
  deploy: { done: 'The deployment has begun', failed: 'The deployment was not started' },
  pause: { done: 'The service is being paused', failed: 'The service was not paused' },
  resume: { done: 'The service is being resumed', failed: 'The service was not resumed' },
};

/** Starts deployments, pauses, resumes, and says how that went. */
function useActions({ ServiceArn }: Service) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const flashError = useFlashError();
  const { mutate, isPending } = useMutation({
    mutationFn: async (action: Simple) => {
      switch (action) {
        case 'deploy': return void await apprunner.send(new StartDeploymentCommand({ ServiceArn }));
        case 'pause': return void await apprunner.send(new PauseServiceCommand({ ServiceArn }));
        case 'resume': return void await apprunner.send(new ResumeServiceCommand({ ServiceArn }));
      }
    },
    onSuccess: (_, action) => { flash({ id: ServiceArn ?? '', type: 'info', header: words[action].done }); },
    onError: (error, action) => { flashError(words[action].failed, error); },
    onSettled: () => cache.invalidateQueries({ queryKey: ['service', ServiceArn] }),
  });
  return { start: mutate, isPending };
}
