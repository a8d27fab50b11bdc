import Alert from '@cloudscape-design/components/alert';
import Input from '@cloudscape-design/components/input';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { trusting, useRoles } from './lists';

interface RoleSelectProps {
  /** The service that the role must trust. */
  principal: string;
  arn: string;
  choose: (arn: string) => void;
  /** What to offer besides roles, for services that need none. */
  none?: string;
}

/** Chooses one of the account's roles that trust a service; who may not list them types the ARN. */
export function RoleSelect({ principal, arn, choose, none }: RoleSelectProps) {
  const { data, isPending, error } = useRoles();
  if (error) {
    return (
      <SpaceBetween size="xs">
        <Input value={arn} spellcheck={false} placeholder="arn:aws:iam::account-id:role/name" onChange={({ detail }) => { choose(detail.value.trim()); }} />
        <Alert type="info">The roles cannot be listed, so type the ARN of one. {error.message}</Alert>
      </SpaceBetween>
    );
  }
  const roles = trusting(data, principal).map((role) => ({ value: role.Arn ?? '', label: role.RoleName ?? '', description: role.Arn ?? '' }));
  const known = arn === '' || roles.some((r) => r.value === arn) ? roles : [{ value: arn, label: arn, description: '' }, ...roles];
  const options = none === undefined ? known : [{ value: '', label: none, description: '' }, ...known];
  return (
    <Select
      options={options}
      selectedOption={options.find((o) => o.value === arn) ?? null}
      statusType={isPending ? 'loading' : 'finished'}
      loadingText="Loading roles"
      placeholder="Choose a role"
      empty={`No role trusts ${principal}`}
      filteringType="auto"
      filteringAriaLabel="Find"
      onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
    />
  );
}
