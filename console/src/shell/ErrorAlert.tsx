import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';

import { faultOf } from '../aws/errors';

interface Props {
  /** What did not work, such as "The services cannot be listed". */
  header: string;
  error: unknown;
  retry?: () => void;
}

/** An error of an AWS call where its result would stand: code and text as they are, and the permission that is missing. */
export function ErrorAlert({ header, error, retry }: Props) {
  const { code, message, missing } = faultOf(error);
  return (
    <Alert type="error" header={header} action={retry && <Button onClick={retry}>Try again</Button>}>
      {missing && <Box variant="p">You need the permission <Box variant="code">{missing}</Box>. Who administers the account can give it to you.</Box>}
      <Box variant="p">{code}: {message}</Box>
    </Alert>
  );
}
