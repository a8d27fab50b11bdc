import type { AutoScalingConfiguration } from '@aws-sdk/client-apprunner';
import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import Spinner from '@cloudscape-design/components/spinner';

import { ServiceLink } from '../../parts/ServiceLink';
import { ErrorAlert } from '../../shell/ErrorAlert';
import { useUsedBy } from './lists';

/** The services that use a revision. */
export function UsedBy({ revision }: { revision: AutoScalingConfiguration }) {
  const { data, error, refetch } = useUsedBy(revision.AutoScalingConfigurationArn ?? '');
  return (
    <Container header={<Header variant="h2" counter={data ? `(${String(data.length)})` : ''}>Services with revision {revision.AutoScalingConfigurationRevision}</Header>}>
      {error && <ErrorAlert header="The services cannot be listed" error={error} retry={() => { void refetch(); }} />}
      {!data && !error && <Spinner />}
      {data?.length === 0 && <Box color="text-status-inactive">No service uses this revision.</Box>}
      {data && data.length > 0 && (
        <ul>
          {data.map((arn) => <li key={arn}><ServiceLink arn={arn} /></li>)}
        </ul>
      )}
    </Container>
  );
}
