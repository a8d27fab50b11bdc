import Button from '@cloudscape-design/components/button';
import FormField from '@cloudscape-design/components/form-field';
import Input from '@cloudscape-design/components/input';
import SpaceBetween from '@cloudscape-design/components/space-between';
import { useState } from 'react';

import type { Answer, Attempt } from '../../session/signin';
import { onSubmit } from './submit';

interface Props {
  needs: Answer;
  busy: boolean;
  send: (attempt: Attempt) => Promise<void>;
}

/** What else is needed, name and password being settled: the code of an MFA device, a new password, or both. */
export function SecondStep({ needs, busy, send }: Props) {
  const [code, setCode] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [differs, setDiffers] = useState(false);
  const submit = () => {
    setDiffers(password !== again);
    if (password !== again) return;
    void send({ Ticket: needs.Ticket, ...(needs.NeedsCode && { Code: code }), ...(needs.NeedsNewPassword && { NewPassword: password }) });
  };
  return (
    <form onSubmit={onSubmit(submit)}>
      <SpaceBetween size="m">
        {needs.NeedsCode && (
          <FormField label="MFA code" description="The six digits your authenticator app shows now.">
            <Input name="code" inputMode="numeric" autoComplete="one-time-code" autoFocus value={code} onChange={({ detail }) => { setCode(detail.value); }} />
          </FormField>
        )}
        {needs.NeedsNewPassword && (
          <FormField label="New password" description="You have to choose one of your own: at least 8 characters, of three of these kinds: capitals, small letters, digits, others.">
            <Input name="new-password" type="password" autoComplete="new-password" autoFocus={!needs.NeedsCode} value={password} onChange={({ detail }) => { setPassword(detail.value); }} />
          </FormField>
        )}
        {needs.NeedsNewPassword && (
          <FormField label="New password once more" errorText={differs && 'The two new passwords differ.'}>
            <Input name="again" type="password" autoComplete="new-password" value={again} onChange={({ detail }) => { setAgain(detail.value); }} />
          </FormField>
        )}
        <Button variant="primary" fullWidth loading={busy} formAction="submit">{needs.NeedsNewPassword ? 'Set password and sign in' : 'Sign in'}</Button>
      </SpaceBetween>
    </form>
  );
}
