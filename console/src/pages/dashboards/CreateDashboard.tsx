import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { Dialog } from '../../parts/Dialog';
import { checkName } from './body';
import { useChange } from './queries';

/** Makes an empty dashboard and leads to it. */
export function CreateDashboard({ others, close }: { others: readonly string[]; close: () => void }) {
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const fault = checkName(name, others);
  const { mutate, isPending, error } = useChange(() => { void navigate(`/dashboards/${name}`); });
  const submit = () => {
    setTried(true);
    if (!fault) mutate({ name, anew: true, to: (body) => body });
  };
  return (
    <Dialog header="Create dashboard" submitText="Create" submit={submit} dismiss={close} busy={isPending} error={error}>
      <FormField label="Dashboard name" constraintText={'Letters, digits, "-" and "_".'} errorText={tried && fault}>
        <Input value={name} autoComplete={false} onChange={({ detail }) => { setName(detail.value); }} />
      </FormField>
    </Dialog>
  );
}
