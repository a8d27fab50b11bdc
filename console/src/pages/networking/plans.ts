import type { Target } from './ingress';

/** A service that will be joined to an endpoint when it runs. */
export interface Plan extends Target {
  serviceArn: string;
}

const kept = 'slipway.joins';
const listeners = new Set<() => void>();
let snapshot = read();

/** Plans outlive the page: the browser keeps them until they are carried out or dropped. */
function read(): readonly Plan[] {
  const text = localStorage.getItem(kept);
  return text ? (JSON.parse(text) as Plan[]) : [];
}

function write(plans: readonly Plan[]) {
  localStorage.setItem(kept, JSON.stringify(plans));
  snapshot = plans;
  listeners.forEach((tell) => { tell(); });
}

/** Plans to join a service to an endpoint, in place of an earlier plan for it. */
export function planToJoin(serviceArn: string, { vpcId, vpcEndpointId }: Target) {
  write([...read().filter((p) => p.serviceArn !== serviceArn), { serviceArn, vpcId, vpcEndpointId }]);
}

/** Forgets what was planned for a service. */
export function forget(serviceArn: string) {
  write(read().filter((p) => p.serviceArn !== serviceArn));
}

/** The plans, for React to follow. */
export const plans = {
  subscribe: (tell: () => void) => {
    listeners.add(tell);
    return () => { listeners.delete(tell); };
  },
  now: () => snapshot,
};
