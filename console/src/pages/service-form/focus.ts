import { useEffect } from 'react';

/** Moves the focus to the first field that is wrong, each time the person has tried to go on and could not. */
export function useFocusOnFault(attempts: number) {
  useEffect(() => {
    if (attempts > 0) document.querySelector<HTMLElement>('main [aria-invalid="true"]')?.focus();
  }, [attempts]);
}
