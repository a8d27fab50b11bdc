import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import RadioGroup from '@cloudscape-design/components/radio-group';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect } from 'react';

import type { AccessRole } from './form';
import { principals, trusting, useRoles } from './lists';
import type { PartProps } from './part';
import { proposedRole } from './roles';
import { RoleSelect } from './RoleSelect';

const roles = [
  { value: 'new', label: 'Create new service role', description: 'With the managed policy AWSAppRunnerServicePolicyForECRAccess and trust for App Runner.' },
  { value: 'existing', label: 'Use existing service role' },
];
const caller = {
  value: 'caller',
  label: 'Use my own permissions',
  description: 'With manual deployment, for images of this account. Whoever deploys later needs the permissions to pull, too.',
};

/** The role that private images are pulled with: one that exists, or a new one with the right policy and trust. */
export function AccessRolePart({ form, change, faults, mustHaveRole }: PartProps & { /** A role can be changed but not taken away. */ mustHaveRole: boolean }) {
  const { data } = useRoles();
  const { access } = form;
  const set = (values: Partial<AccessRole>) => { change({ access: { ...access, ...values } }); };
  const untouched = access.use === 'existing' && access.arn === '';

  // The first look at the account's roles fills in what most people want; what was chosen before stays.
  useEffect(() => {
    if (!data || !untouched) return;
    const known = trusting(data, principals.access);
    const arn = known.find((r) => r.RoleName === 'AppRunnerECRAccessRole')?.Arn ?? known[0]?.Arn ?? '';
    set({ arn, use: arn === '' ? 'new' : 'existing', name: proposedRole(data.map((r) => r.RoleName ?? '')) });
  }, [data, untouched]);

  return (
    <SpaceBetween size="m">
      <FormField label="ECR access role" description="App Runner pulls the image with this role's permissions." errorText={access.use === 'caller' && faults['access.arn']}>
        <RadioGroup
          value={access.use}
          items={mustHaveRole ? roles : [...roles, { ...caller, disabled: form.automatic }]}
          onChange={({ detail }) => { set({ use: detail.value as AccessRole['use'] }); }}
        />
      </FormField>
      {access.use === 'new' && (
        <FormField label="Service role name" description="The role is made when the service is created." errorText={faults['access.name']}>
          <Input value={access.name} spellcheck={false} onChange={({ detail }) => { set({ name: detail.value }); }} />
        </FormField>
      )}
      {access.use === 'existing' && (
        <FormField label="Service role" errorText={faults['access.arn']}>
          <RoleSelect principal={principals.access} arn={access.arn} choose={(arn) => { set({ arn }); }} />
        </FormField>
      )}
    </SpaceBetween>
  );
}
