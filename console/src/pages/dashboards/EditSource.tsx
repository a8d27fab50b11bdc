import FormField from '@cloudscape-design/components/form-field';
import Textarea from '@cloudscape-design/components/textarea';
import { useState } from 'react';

import { Dialog } from '../../parts/Dialog';
import { readBody } from './body';
import { useChange } from './queries';

/** Shows the text of a dashboard, to change or to keep. */
export function EditSource({ name, text, close }: { name: string; text: string; close: () => void }) {
  const [value, setValue] = useState(text);
  const [fault, setFault] = useState('');
  const { mutate, isPending, error } = useChange(close);
  const submit = () => {
    try {
      const body = readBody(value);
      setFault('');
      mutate({ name, anew: true, to: () => body });
    } catch (wrong) {
      setFault(wrong instanceof Error ? wrong.message : String(wrong));
    }
  };
  return (
    <Dialog header={`Source of ${name}`} submitText="Save" submit={submit} dismiss={close} busy={isPending} error={error} size="large">
      <FormField label="Source" description="As the CloudWatch API has it, in JSON." errorText={fault} stretch>
        <Textarea value={value} rows={18} spellcheck={false} onChange={({ detail }) => { setValue(detail.value); }} />
      </FormField>
    </Dialog>
  );
}
