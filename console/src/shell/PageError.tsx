import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';

import { ErrorAlert } from './ErrorAlert';
import { useFrame } from './page';

interface Props {
  header: string;
  error: unknown;
  retry?: () => void;
}

/** A page of which there is nothing to show but why. */
export function PageError(props: Props) {
  return (
    <SpaceBetween size="l">
      <Header variant="h1">{useFrame().page.title}</Header>
      <ErrorAlert {...props} />
    </SpaceBetween>
  );
}
