import FormField from '@cloudscape-design/components/form-field';
import Multiselect from '@cloudscape-design/components/multiselect';
import Select from '@cloudscape-design/components/select';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { UseQueryResult } from '@tanstack/react-query';

import { faultOf } from '../../aws/errors';
import type { Faults } from '../service-form/checks';
import { nameOf, useGroups, useSubnets, useVpcs } from './lists';

/** A place in a VPC: the subnets, and the security groups that guard it. */
export interface Place {
  vpcId: string;
  subnets: readonly string[];
  groups: readonly string[];
}

export const nowhere: Place = { vpcId: '', subnets: [], groups: [] };

/** What is wrong with a place, by field. */
export function checkPlace({ vpcId, subnets }: Place): Faults {
  if (vpcId === '') return { vpcId: 'Choose a VPC.' };
  return subnets.length === 0 ? { subnets: 'Choose at least one subnet.' } : {};
}

interface Props {
  place: Place;
  set: (place: Place) => void;
  faults: Faults;
  /** The place is there already: its VPC cannot be changed, and it has at least one group. */
  fixedVpc?: boolean;
  /** What the subnets are for. */
  advice: string;
}

/** The choice of VPC, subnets and security groups. */
export function NetworkFields({ place, set, faults, fixedVpc, advice }: Props) {
  const vpcs = useVpcs();
  const subnets = useSubnets(place.vpcId);
  const groups = useGroups(place.vpcId);
  const vpcOptions = (vpcs.data ?? []).map((v) => ({
    value: v.VpcId ?? '', label: nameOf(v.Tags, v.VpcId), description: `${v.VpcId ?? ''} · ${v.CidrBlock ?? ''}`, ...(v.IsDefault ? { labelTag: 'Default' } : {}),
  }));
  const subnetOptions = (subnets.data ?? []).map((s) => ({
    value: s.SubnetId ?? '', label: nameOf(s.Tags, s.SubnetId), description: `${s.SubnetId ?? ''} · ${s.CidrBlock ?? ''}`, labelTag: s.AvailabilityZone ?? '',
  }));
  const groupOptions = (groups.data ?? []).map((g) => ({ value: g.GroupId ?? '', label: g.GroupName ?? '', description: `${g.GroupId ?? ''} · ${g.Description ?? ''}` }));
  return (
    <SpaceBetween size="l">
      <FormField label="VPC" description={fixedVpc ? 'It cannot be changed.' : undefined} errorText={faults['vpcId']} stretch>
        <Select
          disabled={fixedVpc ?? false} options={vpcOptions} selectedOption={vpcOptions.find((o) => o.value === place.vpcId) ?? (place.vpcId ? { value: place.vpcId } : null)}
          placeholder="Choose a VPC" empty="No VPCs" filteringType="auto" filteringAriaLabel="Find" {...loading(vpcs)}
          onChange={({ detail }) => { set({ vpcId: detail.selectedOption.value ?? '', subnets: [], groups: [] }); }}
        />
      </FormField>
      <FormField label="Subnets" description={advice} errorText={faults['subnets']} stretch>
        <Multiselect
          disabled={place.vpcId === ''} options={subnetOptions} selectedOptions={chosen(subnetOptions, place.subnets)} placeholder="Choose subnets" empty="No subnets" filteringType="auto" filteringAriaLabel="Find"
          deselectAriaLabel={(o) => `Remove the subnet ${o.label ?? ''}`} {...loading(subnets)}
          onChange={({ detail }) => { set({ ...place, subnets: detail.selectedOptions.map((o) => o.value ?? '') }); }}
        />
      </FormField>
      <FormField
        label={fixedVpc ? 'Security groups' : <>Security groups <i>- optional</i></>} description={fixedVpc ? 'They decide who may connect.' : 'None: the default group of the VPC.'}
        errorText={faults['groups']} stretch
      >
        <Multiselect
          disabled={place.vpcId === ''} options={groupOptions} selectedOptions={chosen(groupOptions, place.groups)} placeholder="Choose security groups" empty="No security groups" filteringType="auto" filteringAriaLabel="Find"
          deselectAriaLabel={(o) => `Remove the security group ${o.label ?? ''}`} {...loading(groups)}
          onChange={({ detail }) => { set({ ...place, groups: detail.selectedOptions.map((o) => o.value ?? '') }); }}
        />
      </FormField>
    </SpaceBetween>
  );
}

/** The options that are chosen; one that is not among them is shown by its id. */
function chosen<Option extends { value: string; label: string }>(options: readonly Option[], ids: readonly string[]) {
  return ids.map((id) => options.find((o) => o.value === id) ?? { value: id, label: id });
}

/** What a choice shows while its options are not there. */
export function loading({ isLoading, error }: UseQueryResult<unknown>) {
  const { code, message } = faultOf(error);
  return { statusType: isLoading ? 'loading' as const : error ? 'error' as const : 'finished' as const, loadingText: 'Loading', ...(error ? { errorText: `${code}: ${message}` } : {}) };
}
