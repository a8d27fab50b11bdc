import { ListOperationsCommand, type OperationSummary, type Service } from '@aws-sdk/client-apprunner';
import { useEffect, useRef } from 'react';

import { useClients } from '../../aws/clients';
import { RouteLink } from '../../parts/RouteLink';
import { useFlash } from '../../shell/flash';
import { operationStatus, operationType } from '../../words/status';

/** Says how an operation ended while its service was looked at. */
export function useOutcome({ ServiceArn: arn = '', Status: status }: Service) {
  const { apprunner } = useClients();
  const flash = useFlash();
  const before = useRef(status);
  useEffect(() => {
    const ended = before.current === 'OPERATION_IN_PROGRESS' && status !== 'OPERATION_IN_PROGRESS';
    before.current = status;
    if (!ended) return;
    apprunner.send(new ListOperationsCommand({ ServiceArn: arn, MaxResults: 1 })).then(
      ({ OperationSummaryList: [newest] = [] }) => { if (newest) flash({ id: arn, ...told(newest, arn) }); },
      () => {}, // the status itself is shown in any case
    );
  }, [apprunner, arn, flash, status]);
}

function told(operation: OperationSummary, arn: string) {
  const { text } = operationStatus(operation.Status);
  const header = `${operationType(operation.Type)}: ${text.toLowerCase()}`;
  if (operation.Status === 'SUCCEEDED') return { type: 'success' as const, header };
  return { type: 'error' as const, header, content: <>Its log tells why: see <RouteLink to={`/services/${encodeURIComponent(arn)}/activity`} color="inverted">Activity</RouteLink>.</> };
}
