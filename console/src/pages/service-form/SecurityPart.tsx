import FormField from '@cloudscape-design/components/form-field';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { KeyChoice } from './KeyChoice';
import { principals, useWebAcls } from './lists';
import type { PartProps } from './part';
import { RoleSelect } from './RoleSelect';

interface SecurityPartProps extends PartProps {
  /** An existing service keeps its key, and its role can be changed but not taken away. */
  fixed?: { hasRole: boolean };
}

/** The role of the application, the key that its stored copies are encrypted with, and the web ACL in front. */
export function SecurityPart({ form, change, faults, fixed }: SecurityPartProps) {
  return (
    <SpaceBetween size="l">
      <FormField
        label={<>Instance role <i>- optional</i></>}
        description="What the application may do in its own calls of AWS APIs, and the secrets it may read."
        errorText={faults['instanceRoleArn']}
      >
        <RoleSelect
          principal={principals.instance}
          arn={form.instanceRoleArn}
          choose={(instanceRoleArn) => { change({ instanceRoleArn }); }}
          {...(fixed?.hasRole ? {} : { none: 'No role' })}
        />
      </FormField>
      {fixed ? null : (
        <FormField
          label={<>AWS KMS key <i>- optional</i></>}
          description="The key that stored copies are encrypted with: one of yours, or its ARN. Empty: a key that the installation keeps. It cannot be changed later."
          errorText={faults['kmsKey']}
        >
          <KeyChoice arn={form.kmsKey} choose={(kmsKey) => { change({ kmsKey }); }} />
        </FormField>
      )}
      {form.webAclArn !== undefined && <WebAcl arn={form.webAclArn} fault={faults['webAclArn']} choose={(webAclArn) => { change({ webAclArn }); }} />}
    </SpaceBetween>
  );
}

function WebAcl({ arn, fault, choose }: { arn: string; fault: string | undefined; choose: (arn: string) => void }) {
  const { data, isPending, error } = useWebAcls();
  const acls = (data ?? []).map((acl) => ({ value: acl.ARN ?? '', label: acl.Name ?? '', description: acl.Description ?? '' }));
  const options = [{ value: '', label: 'No web ACL', description: '' }, ...acls];
  return (
    <FormField label={<>AWS WAF web ACL <i>- optional</i></>} description="Rules that requests must pass before they reach the application." errorText={fault}>
      <Select
        options={options}
        selectedOption={options.find((o) => o.value === arn) ?? null}
        statusType={isPending ? 'loading' : error ? 'error' : 'finished'}
        errorText={error?.message}
        filteringType="auto"
        filteringAriaLabel="Find"
        onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }}
      />
    </FormField>
  );
}
