import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import { useRouteError } from 'react-router';

import { faultOf } from '../aws/errors';

/** What stands in the place of the console where it cannot be shown at all. */
export function Failure({ header, error }: { header: string; error: unknown }) {
  const { code, message } = faultOf(error);
  return (
    <Box padding="xxl">
      <Alert type="error" header={header} action={<Button onClick={() => { location.reload(); }}>Reload</Button>}>{code}: {message}</Alert>
    </Box>
  );
}

/** A page that threw, or whose code cannot be fetched: after an upgrade, a reload brings the new one. */
export function RouteFailure() {
  return <Failure header="This page cannot be shown" error={useRouteError()} />;
}
