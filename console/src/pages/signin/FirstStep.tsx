import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { Attempt } from '../../session/signin';
import { onSubmit } from './submit';

interface Props {
  asRoot: boolean;
  /** The account that is proposed. */
  account: string;
  busy: boolean;
  send: (attempt: Attempt) => Promise<void>;
}

/** Name and password. */
export function FirstStep({ asRoot, account: proposed, busy, send }: Props) {
  const [mail, setMail] = useState('');
  const [account, setAccount] = useState(proposed);
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const who = asRoot ? { Mail: mail } : { Account: account, UserName: user };
  return (
    <form onSubmit={onSubmit(() => { void send({ ...who, Password: password }); })}>
      <SpaceBetween size="m">
        {asRoot && (
          <FormField label="Mail address of the root user">
            <Input name="mail" type="email" inputMode="email" autoComplete="username" autoFocus value={mail} onChange={({ detail }) => { setMail(detail.value); }} />
          </FormField>
        )}
        {!asRoot && (
          <FormField label="Account" description="Its 12 digits or its alias.">
            <Input name="account" autoComplete="organization" value={account} onChange={({ detail }) => { setAccount(detail.value); }} />
          </FormField>
        )}
        {!asRoot && (
          <FormField label="User name">
            <Input name="user" autoComplete="username" autoFocus value={user} onChange={({ detail }) => { setUser(detail.value); }} />
          </FormField>
        )}
        <FormField label="Password">
          <Input name="password" type="password" autoComplete="current-password" value={password} onChange={({ detail }) => { setPassword(detail.value); }} />
        </FormField>
        <Button variant="primary" fullWidth loading={busy} formAction="submit">Sign in</Button>
      </SpaceBetween>
    </form>
  );
}
