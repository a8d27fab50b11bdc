import type { AutoScalingConfiguration } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { useClients } from '../../aws/clients';
import { Dialog } from '../../parts/Dialog';
import { useFlash } from '../../shell/flash';
import { makeScaling } from '../create/createService';
import { NewScaling } from '../service-form/AutoScalingPart';
import { checkScaling } from '../service-form/checks';
import { blank, type Scaling } from '../service-form/form';

interface Props {
  /** The configuration to make a further revision of; none: a new one. */
  name?: string;
  /** The revision whose settings stand in the form at first. */
  of?: AutoScalingConfiguration | undefined;
  close: () => void;
}

/** Makes a configuration, or the next revision of one. */
export function CreateRevision({ name, of, close }: Props) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const [scaling, setScaling] = useState(() => begin(name, of));
  const [tried, setTried] = useState(false);
  const faults = checkScaling(scaling);
  const create = useMutation({
    mutationFn: () => makeScaling(apprunner, scaling),
    onSuccess: async (arn) => {
      await cache.invalidateQueries({ queryKey: ['autoscaling'] });
      flash({ type: 'success', content: `Revision ${arn.split('/')[2] ?? ''} of ${scaling.name} was created.` });
      close();
    },
  });
  const submit = () => {
    setTried(true);
    if (Object.keys(faults).length === 0) create.mutate();
  };
  return (
    <Dialog header={name ? `Create revision of ${name}` : 'Create auto scaling configuration'} submitText="Create" submit={submit} dismiss={close} busy={create.isPending} error={create.error}>
      <NewScaling scaling={scaling} faults={tried ? faults : {}} set={(values) => { setScaling((now) => ({ ...now, ...values })); }} fixedName={name !== undefined} />
      {!name && <Box variant="small">With a name that exists already, this makes the next revision of it.</Box>}
    </Dialog>
  );
}

function begin(name: string | undefined, of: AutoScalingConfiguration | undefined): Scaling {
  const { maxConcurrency, minSize, maxSize } = blank.scaling;
  return {
    ...blank.scaling, use: 'new', name: name ?? '',
    maxConcurrency: String(of?.MaxConcurrency ?? maxConcurrency), minSize: String(of?.MinSize ?? minSize), maxSize: String(of?.MaxSize ?? maxSize),
  };
}
