import { type AppRunnerClient, CreateVpcConnectorCommand, type VpcConnector } from '@aws-sdk/client-apprunner';

import type { Label } from '../../parts/TagsEditor';
import { checkName, type Faults } from '../service-form/checks';
import { checkPlace, nowhere, type Place } from './NetworkFields';

/** What a person types for a VPC connector. */
export interface ConnectorForm {
  name: string;
  place: Place;
  tags: readonly Label[];
}

export const blankConnector: ConnectorForm = { name: '', place: nowhere, tags: [] };

/** What is wrong, by field. */
export function checkConnector({ name, place, tags }: ConnectorForm): Faults {
  const keys = tags.flatMap(({ key }, i) => (key === '' ? [[`tags.${String(i)}.key`, 'A key is required.']] : []));
  return { ...checkName('name', name, 40), ...checkPlace(place), ...(Object.fromEntries(keys) as Faults) };
}

/** Makes a VPC connector. */
export async function createConnector(apprunner: AppRunnerClient, { name, place, tags }: ConnectorForm): Promise<VpcConnector> {
  const { VpcConnector: made } = await apprunner.send(new CreateVpcConnectorCommand({
    VpcConnectorName: name, Subnets: [...place.subnets],
    ...(place.groups.length > 0 ? { SecurityGroups: [...place.groups] } : {}),
    ...(tags.length > 0 ? { Tags: tags.map(({ key, value }) => ({ Key: key, Value: value })) } : {}),
  }));
  if (!made) throw new Error('The answer holds no VPC connector.');
  return made;
}
