import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import Select from '@cloudscape-design/components/select';
import StatusIndicator from '@cloudscape-design/components/status-indicator';
import { useState } from 'react';

import { Dialog } from '../../parts/Dialog';
import { RouteLink } from '../../parts/RouteLink';
import { useSession } from '../../session/session';
import { useFlash } from '../../shell/flash';
import { checkName, withGraphs } from '../dashboards/body';
import { useChange, useDashboards } from '../dashboards/queries';
import type { Graph } from './graph';

interface Props {
  graphs: readonly Graph[];
  close: () => void;
}

/** Puts graphs on a dashboard that is there, or on a new one. Without knowing which there are, one could be overwritten. */
export function AddToDashboard(props: Props) {
  const { data, error } = useDashboards();
  if (data) return <Adding {...props} names={data.map((d) => d.DashboardName ?? '')} />;
  return <Dialog header="Add to dashboard" dismiss={props.close} error={error}>{!error && <StatusIndicator type="loading">Loading</StatusIndicator>}</Dialog>;
}

function Adding({ graphs, close, names }: Props & { names: readonly string[] }) {
  const { region } = useSession();
  const flash = useFlash();
  const [wish, setWish] = useState<'there' | 'new'>();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const isNew = (wish ?? (names.length > 0 ? 'there' : 'new')) === 'new';
  const fault = isNew ? checkName(name, names) : name === '' && 'Choose a dashboard.';
  const { mutate, isPending, error } = useChange(() => {
    const what = graphs.length === 1 ? 'The graph is' : 'The graphs are';
    flash({ id: `dashboard ${name}`, type: 'success', header: <>{what} on the dashboard <RouteLink to={`/dashboards/${name}`} color="inverted">{name}</RouteLink></> });
    close();
  });
  const submit = () => {
    setTried(true);
    if (!fault) mutate({ name, anew: isNew, to: (body) => withGraphs(body, graphs, region) });
  };
  return (
    <Dialog header="Add to dashboard" submitText="Add to dashboard" submit={submit} dismiss={close} busy={isPending} error={error}>
      <FormField label="Dashboard">
        <RadioGroup
          value={isNew ? 'new' : 'there'}
          items={[{ value: 'there', label: 'One that there is', disabled: names.length === 0 }, { value: 'new', label: 'A new one' }]}
          onChange={({ detail }) => { setWish(detail.value === 'new' ? 'new' : 'there'); setName(''); setTried(false); }}
        />
      </FormField>
      {isNew ? (
        <FormField label="Dashboard name" constraintText={'Letters, digits, "-" and "_".'} errorText={tried && fault}>
          <Input value={name} autoComplete={false} onChange={({ detail }) => { setName(detail.value); }} />
        </FormField>
      ) : (
        <FormField label="Dashboard name" errorText={tried && fault}>
          <Select
            options={names.map((value) => ({ value }))} selectedOption={name === '' ? null : { value: name }} placeholder="Choose a dashboard" filteringType="auto" filteringAriaLabel="Find"
            onChange={({ detail }) => { setName(detail.selectedOption.value ?? ''); }}
          />
        </FormField>
      )}
    </Dialog>
  );
}
