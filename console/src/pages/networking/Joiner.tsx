import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';

import { useClients } from '../../aws/clients';
import { isWorthRetrying } from '../../aws/errors';
import { useSession } from '../../session/session';
import { useFlash, useFlashError } from '../../shell/flash';
import { resourceName } from '../../words/arn';
import { join } from './ingress';
import { forget, type Plan, plans } from './plans';

/** Joins private services to their endpoints as soon as they run: the API leaves that to its callers. It shows nothing itself. */
export function Joiner() {
  const { account, region } = useSession();
  const all = useSyncExternalStore(plans.subscribe, plans.now);
  const here = all.filter(({ serviceArn }) => serviceArn.startsWith(`arn:aws:apprunner:${region}:${account}:`));
  return here.map((plan) => <Follow key={plan.serviceArn + plan.vpcEndpointId} plan={plan} />);
}

function Follow({ plan }: { plan: Plan }) {
  const { apprunner } = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const flashError = useFlashError();
  const name = resourceName(plan.serviceArn);
  const { data, error } = useQuery({
    queryKey: ['plan', plan],
    // One window of several does it.
    queryFn: () => navigator.locks.request(`slipway ${plan.serviceArn}`, () => join(apprunner, plan.serviceArn, plan)),
    refetchInterval: ({ state }) => (state.data === 'waiting' || isWorthRetrying(state.error) ? 2000 : false),
    gcTime: 0,
  });
  useEffect(() => {
    if (data === 'joined') {
      flash({ type: 'success', content: `The service ${name} is being joined to the VPC interface endpoint ${plan.vpcEndpointId}.` });
    } else if (data === 'dropped') {
      flash({ type: 'warning', content: `The service ${name} is not joined to ${plan.vpcEndpointId}: it is not both private and running.` });
    } else if (error && !isWorthRetrying(error)) {
      flashError(`The service ${name} cannot be joined to the VPC interface endpoint ${plan.vpcEndpointId}`, error);
    } else {
      return;
    }
    forget(plan.serviceArn);
    void cache.invalidateQueries();
  }, [data, error, plan, name, cache, flash, flashError]);
  return null;
}
