import ColumnLayout from '@cloudscape-design/components/column-layout';
import FormField from '@cloudscape-design/components/form-field';
import Header from '@cloudscape-design/components/header';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import Toggle from '@cloudscape-design/components/toggle';

import { extraGroups, extras, isOn, withExtra, type Extra } from './extras';
import type { PartProps } from './part';

/** The settings that App Runner does not have; each is kept as a tag that begins with "slipway:". */
export function ExtrasPart({ form, change, faults }: PartProps) {
  const set = (name: string, value: string) => { change({ extras: withExtra(form.extras, name, value) }); };
  return (
    <SpaceBetween size="l">
      {extraGroups.map((group) => (
        <SpaceBetween key={group} size="s">
          <Header variant="h3">{group}</Header>
          <ColumnLayout columns={2}>
            {extras.filter((extra) => extra.group === group).map((extra) => (
              <Setting key={extra.name} extra={extra} value={form.extras[extra.name] ?? ''} fault={faults[`extras.${extra.name}`]} set={set} />
            ))}
          </ColumnLayout>
        </SpaceBetween>
      ))}
    </SpaceBetween>
  );
}

interface SettingProps {
  extra: Extra;
  value: string;
  fault: string | undefined;
  set: (name: string, value: string) => void;
}

function Setting({ extra, value, fault, set }: SettingProps) {
  if (extra.kind === 'switch') {
    return (
      <Toggle checked={isOn(extra, value)} description={extra.description} onChange={({ detail }) => { set(extra.name, detail.checked ? extra.on : ''); }}>
        {extra.label}
      </Toggle>
    );
  }
  return (
    <FormField label={extra.label} description={extra.description} errorText={fault}>
      {extra.kind === 'choice' ? (
        <Select
          options={extra.choices}
          selectedOption={extra.choices.find((c) => c.value === value) ?? null}
          onChange={({ detail }) => { set(extra.name, detail.selectedOption.value ?? ''); }}
        />
      ) : (
        <Input value={value} placeholder={extra.placeholder} spellcheck={false} onChange={({ detail }) => { set(extra.name, detail.value); }} />
      )}
    </FormField>
  );
}
