import type { ServiceStatus } from '@aws-sdk/client-apprunner';

/** What can be done with a service as a whole. */
export type Action = 'deploy' | 'pause' | 'resume' | 'delete';

const allowed: Record<Action, readonly ServiceStatus[]> = {
  deploy: ['RUNNING'],
  pause: ['RUNNING'],
  resume: ['PAUSED'],
  delete: ['RUNNING', 'PAUSED', 'CREATE_FAILED', 'DELETE_FAILED'],
};

const states: Record<ServiceStatus, string> = {
  RUNNING: 'The service is running.',
  PAUSED: 'The service is paused.',
  OPERATION_IN_PROGRESS: 'Wait until the operation in progress has ended.',
  CREATE_FAILED: 'The service was not created. It can be deleted, or configured anew.',
  DELETE_FAILED: 'The service can only be deleted again.',
  DELETED: 'The service is deleted.',
};

/** Why an action cannot be taken in a status; undefined when it can. */
export function whyNot(action: Action, status: ServiceStatus = 'OPERATION_IN_PROGRESS'): string | undefined {
  return allowed[action].includes(status) ? undefined : states[status];
}
