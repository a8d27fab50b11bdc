import { CreateVpcEndpointCommand, DeleteVpcEndpointsCommand, type EC2Client, ModifyVpcEndpointCommand, type VpcEndpoint } from '@aws-sdk/client-ec2';

import type { Label } from '../../parts/TagsEditor';
import type { Faults } from '../service-form/checks';
import { requestsService } from './lists';
import { checkPlace, nowhere, type Place } from './NetworkFields';

/** What a person types for an interface endpoint. */
export interface EndpointForm {
  name: string;
  place: Place;
  tags: readonly Label[];
}

export const blankEndpoint: EndpointForm = { name: '', place: nowhere, tags: [] };

/** What is wrong, by field. */
export function checkEndpoint({ name, place, tags }: EndpointForm): Faults {
  const faults: Record<string, string> = { ...checkPlace(place) };
  if (name.trim() === '') faults['name'] = 'A name is required.';
  tags.forEach(({ key }, i) => {
    if (key === '') faults[`tags.${String(i)}.key`] = 'A key is required.';
    if (key === 'Name') faults[`tags.${String(i)}.key`] = 'The name is the tag Name already.';
  });
  return faults;
}

/** Makes an interface endpoint for private services. */
export async function createEndpoint(ec2: EC2Client, region: string, { name, place, tags }: EndpointForm): Promise<VpcEndpoint> {
  const { VpcEndpoint: made } = await ec2.send(new CreateVpcEndpointCommand({
    VpcEndpointType: 'Interface', ServiceName: requestsService(region), VpcId: place.vpcId, SubnetIds: [...place.subnets],
    ...(place.groups.length > 0 ? { SecurityGroupIds: [...place.groups] } : {}),
    TagSpecifications: [{ ResourceType: 'vpc-endpoint', Tags: [{ Key: 'Name', Value: name.trim() }, ...tags.map(({ key, value }) => ({ Key: key, Value: value }))] }],
  }));
  if (!made) throw new Error('The answer holds no endpoint.');
  return made;
}

/** Gives an endpoint other subnets and security groups. What stays is not sent. */
export async function moveEndpoint(ec2: EC2Client, endpoint: VpcEndpoint, to: Place): Promise<void> {
  const now = placeOf(endpoint);
  const [addSubnets, removeSubnets] = difference(now.subnets, to.subnets);
  const [addGroups, removeGroups] = difference(now.groups, to.groups);
  const change = {
    ...(addSubnets.length > 0 ? { AddSubnetIds: addSubnets } : {}), ...(removeSubnets.length > 0 ? { RemoveSubnetIds: removeSubnets } : {}),
    ...(addGroups.length > 0 ? { AddSecurityGroupIds: addGroups } : {}), ...(removeGroups.length > 0 ? { RemoveSecurityGroupIds: removeGroups } : {}),
  };
  if (Object.keys(change).length > 0) await ec2.send(new ModifyVpcEndpointCommand({ VpcEndpointId: endpoint.VpcEndpointId, ...change }));
}

/** Where an endpoint is. */
export function placeOf(endpoint: VpcEndpoint): Place {
  return { vpcId: endpoint.VpcId ?? '', subnets: endpoint.SubnetIds ?? [], groups: (endpoint.Groups ?? []).map((g) => g.GroupId ?? '') };
}

/** What has to be added to, and removed from, one list to get the other. */
function difference(now: readonly string[], to: readonly string[]): [string[], string[]] {
  return [to.filter((id) => !now.includes(id)), now.filter((id) => !to.includes(id))];
}

/** Deletes an endpoint. EC2 answers a refusal beside what went well; here it is an error like any other. */
export async function deleteEndpoint(ec2: EC2Client, id: string): Promise<void> {
  const { Unsuccessful: refused } = await ec2.send(new DeleteVpcEndpointsCommand({ VpcEndpointIds: [id] }));
  const why = refused?.[0]?.Error;
  if (!why) return;
  const error = new Error(why.Message ?? 'The endpoint was not deleted.');
  error.name = why.Code ?? 'Error';
  throw error;
}
