import type { FormEvent } from 'react';

/** Sends a form without the browser leaving the page. */
export function onSubmit(send: () => void) {
  return (event: FormEvent) => {
    event.preventDefault();
    send();
  };
}
