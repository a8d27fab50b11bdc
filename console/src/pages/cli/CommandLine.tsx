import Box from '@cloudscape-design/components/box';
import Container from '@cloudscape-design/components/container';
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard';
import Header from '@cloudscape-design/components/header';
import SegmentedControl from '@cloudscape-design/components/segmented-control';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import { RouteLink } from '../../parts/RouteLink';
import { useSession } from '../../session/session';
import { InfoLink, usePage } from '../../shell/page';
import { shownTime } from '../../words/time';
import { help } from './help';
import { type Shell, settingsFor } from './settings';
import '../../parts/lines.css';

const shells: readonly { id: Shell; text: string }[] = [
  { id: 'sh', text: 'Linux and macOS' },
  { id: 'powershell', text: 'PowerShell' },
  { id: 'profile', text: 'AWS profile' },
];

/** Ready-made settings for the AWS CLI and every SDK, for the person who has signed in. */
export default function CommandLine() {
  usePage('CLI settings', [], help);
  const session = useSession();
  const [shell, setShell] = useState<Shell>('sh');
  const text = settingsFor(shell, session);
  return (
    <SpaceBetween size="l">
      <Header
        variant="h1" info={<InfoLink help={help} about="CLI settings" />}
        description={`The AWS CLI and every SDK work here as you, until your session ends at ${shownTime(Date.parse(session.credentials.expiration))}.`}
      >
        CLI settings
      </Header>
      <Container
        header={
          <Header
            variant="h2"
            actions={<CopyToClipboard copyButtonText="Copy" copySuccessText="Copied" copyErrorText="Not copied: select the text and copy it" textToCopy={text} />}
          >
            Your session
          </Header>
        }
      >
        <SpaceBetween size="m">
          <SegmentedControl selectedId={shell} label="Where the settings go" options={[...shells]} onChange={({ detail }) => { setShell(detail.selectedId as Shell); }} />
          <Box>{shell === 'profile' ? <>Add this to <Box variant="code">~/.aws/config</Box> and use it with <Box variant="code">--profile slipway</Box>.</> : 'Paste these lines into a shell.'}</Box>
          <pre className="log-lines" tabIndex={0} role="region" aria-label="Settings">{text}</pre>
          <Box>Try it: <Box variant="code">aws apprunner list-services{shell === 'profile' ? ' --profile slipway' : ''}</Box></Box>
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2">Longer than a session</Header>}>
        For scripts and servers, make an <RouteLink to="/keys">access key</RouteLink>. It works until it is deleted.
      </Container>
    </SpaceBetween>
  );
}
