import type { OperationStatus, OperationType, ServiceStatus } from '@aws-sdk/client-apprunner';
import type { StatusIndicatorProps } from '@cloudscape-design/components/status-indicator';

/** How a status is shown. */
export interface Shown {
  text: string;
  type: StatusIndicatorProps.Type;
}

const services: Record<ServiceStatus, Shown> = {
  RUNNING: { text: 'Running', type: 'success' },
  PAUSED: { text: 'Paused', type: 'stopped' },
  OPERATION_IN_PROGRESS: { text: 'Operation in progress', type: 'in-progress' },
  CREATE_FAILED: { text: 'Create failed', type: 'error' },
  DELETE_FAILED: { text: 'Delete failed', type: 'error' },
  DELETED: { text: 'Deleted', type: 'stopped' },
};

const operations: Record<OperationStatus, Shown> = {
  PENDING: { text: 'Pending', type: 'pending' },
  IN_PROGRESS: { text: 'In progress', type: 'in-progress' },
  SUCCEEDED: { text: 'Succeeded', type: 'success' },
  FAILED: { text: 'Failed', type: 'error' },
  ROLLBACK_IN_PROGRESS: { text: 'Rollback in progress', type: 'in-progress' },
  ROLLBACK_SUCCEEDED: { text: 'Rolled back', type: 'warning' },
  ROLLBACK_FAILED: { text: 'Rollback failed', type: 'error' },
};

const types: Record<OperationType, string> = {
  CREATE_SERVICE: 'Create service',
  START_DEPLOYMENT: 'Deployment',
  UPDATE_SERVICE: 'Update service',
  PAUSE_SERVICE: 'Pause service',
  RESUME_SERVICE: 'Resume service',
  DELETE_SERVICE: 'Delete service',
};

/** A status or type that this console does not know is shown as it is. */
export const serviceStatus = (status: ServiceStatus = 'OPERATION_IN_PROGRESS'): Shown => services[status] ?? { text: status, type: 'info' };
export const operationStatus = (status: OperationStatus = 'PENDING'): Shown => operations[status] ?? { text: status, type: 'info' };
export const operationType = (type: OperationType = 'UPDATE_SERVICE'): string => types[type] ?? type;
