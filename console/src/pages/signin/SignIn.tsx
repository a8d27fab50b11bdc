import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Container from '@cloudscape-design/components/container';
import Header from '@cloudscape-design/components/header';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useEffect, useState } from 'react';
import { Navigate, useLocation, useSearchParams } from 'react-router';

import { useDoor } from '../../session/session';
import { type Answer, type Attempt, signIn } from '../../session/signin';
import { FirstStep } from './FirstStep';
import { SecondStep } from './SecondStep';
import './signin.css';

/** Where a person signs in: as root, or as a user of an account; then the code of an MFA device and a new password where they are needed. */
export default function SignIn() {
  const { session, settings, ended } = useDoor();
  const [query] = useSearchParams();
  const { state } = useLocation() as { state: { from?: string } | null };
  const [asRoot, setAsRoot] = useState(query.get('as') === 'root');
  const { needs, message, busy, send, restart } = useSignIn();
  useEffect(() => { document.title = 'Sign in – Slipway'; }, []);
  if (session) return <Navigate to={state?.from ?? '/'} replace />;

  const other = needs ? 'Start again' : asRoot ? 'Sign in as an IAM user' : 'Sign in as the root user';
  return (
    <main className="signin">
      <Box margin={{ bottom: 'l' }} textAlign="center"><img src="/console/slipway.svg" alt="" width="48" height="48" /></Box>
      <Container header={<Header variant="h1">Sign in to Slipway</Header>}>
        <SpaceBetween size="l">
          {(message ?? ended) && <Alert type={message ? 'error' : 'info'}>{message ?? ended}</Alert>}
          {needs
            ? <SecondStep needs={needs} busy={busy} send={send} />
            : <FirstStep asRoot={asRoot} account={query.get('account') ?? settings.Account} busy={busy} send={send} />}
          <Box textAlign="center"><Button variant="link" onClick={() => { if (needs) restart(); else setAsRoot(!asRoot); }}>{other}</Button></Box>
        </SpaceBetween>
      </Container>
    </main>
  );
}

/** The steps of a sign-in: what is needed still, and what went wrong at the last. */
function useSignIn() {
  const { enter } = useDoor();
  const [needs, setNeeds] = useState<Answer>();
  const [message, setMessage] = useState<string>();
  const [busy, setBusy] = useState(false);
  const send = async (attempt: Attempt) => {
    setBusy(true);
    const answer = await signIn(attempt);
    setBusy(false);
    setMessage(answer.Message);
    setNeeds(answer.Ticket ? answer : undefined);
    if (answer.Credentials) enter(answer);
  };
  const restart = () => { setNeeds(undefined); setMessage(undefined); };
  return { needs, message, busy, send, restart };
}
