import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';
import Modal, { type ModalProps } from '@cloudscape-design/components/modal';
import SpaceBetween from '@cloudscape-design/components/space-between';
import type { FormEvent, ReactNode } from 'react';

import { faultOf } from '../aws/errors';

interface Props {
  header: string;
  /** What the button says that does it; without one there is nothing to do but close. */
  submitText?: string;
  submit?: () => void;
  dismiss: () => void;
  busy?: boolean;
  /** Why the last try failed. */
  error?: unknown;
  size?: ModalProps.Size;
  children: ReactNode;
}

/** A dialog with fields or a question, and a button that does what it is about. Enter in a field is that button. */
export function Dialog({ header, submitText, submit, dismiss, busy, error, size, children }: Props) {
  const enter = (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation(); // a form that the dialog was opened from is not meant
    if (!busy) submit?.();
  };
  return (
    <Modal
      visible
      header={header}
      size={size ?? 'medium'}
      closeAriaLabel="Close"
      onDismiss={dismiss}
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={dismiss}>{submit ? 'Cancel' : 'Close'}</Button>
            {submit && <Button variant="primary" loading={busy ?? false} onClick={submit}>{submitText}</Button>}
          </SpaceBetween>
        </Box>
      }
    >
      <form noValidate onSubmit={enter}>
        <SpaceBetween size="l">
          {error ? <Refusal error={error} /> : null}
          {children}
        </SpaceBetween>
        {/* Without a button inside, Enter in one of several fields would do nothing. */}
        <button type="submit" hidden />
      </form>
    </Modal>
  );
}

function Refusal({ error }: { error: unknown }) {
  const { code, message } = faultOf(error);
  return <Alert type="error" header={code}>{message}</Alert>;
}
