import Select from '@cloudscape-design/components/select';

import { trusting, useRoles } from './lists';

interface RoleSelectProps {
  /** The service that the role must trust. */
  principal: string;
  arn: string;
  choose: (arn: string) => void;
  /** What to offer besides roles, for services that need none. */
  none?: string;
}

/** Chooses one of the account's roles that trust a service. */
export function RoleSelect({ principal, arn, choose, none }: RoleSelectProps) {
  const { data, isPending, error, refetch } = useRoles();
  const roles = trusting(data, principal).map((role) => ({ value: role.Arn ?? '', label: role.RoleName ?? '', description: role.Arn ?? '' }));
  const known = arn === '' || roles.some((r) => r.value === arn) ? roles : [{ value: arn, label: arn, description: '' }, ...roles];
  const options = none === undefined ? known : [{ value: '', label: none, description: '' }, ...known];
  return (
    <Select
      options={options}
      selectedOption={options.find((o) => o.value === arn) ?? null}
      statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
      loadingText="Loading roles"
      errorText={error?.message}
      recoveryText="Retry"
      onLoadItems={() => { if (error) void refetch(); }}
      placeholder="Choose a role"
      empty={`No role trusts ${principal}`}
      filteringType="auto"
      filteringAriaLabel="Find"
      onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
    />
  );
}
