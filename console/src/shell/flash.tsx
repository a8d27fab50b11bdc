import Flashbar, { type FlashbarProps } from '@cloudscape-design/components/flashbar';
import { createContext, type ReactNode, use, useCallback, useMemo, useState } from 'react';

import { faultOf } from '../aws/errors';

/** A message at the top of the page. */
export interface Flash {
  /** What it is about: a newer message about the same takes its place. */
  id?: string;
  type: 'success' | 'info' | 'warning' | 'error';
  header?: ReactNode;
  content?: ReactNode;
}

interface Board {
  items: FlashbarProps.MessageDefinition[];
  add: (flash: Flash) => void;
}

const BoardContext = createContext<Board | undefined>(undefined);

/** How many messages are kept: the newest. */
const most = 5;

export function FlashProvider({ children }: { children: ReactNode }) {
  const [items, setItems] = useState<FlashbarProps.MessageDefinition[]>([]);
  const add = useCallback(({ id = crypto.randomUUID(), ...flash }: Flash) => {
    const others = (now: FlashbarProps.MessageDefinition[]) => now.filter((item) => item.id !== id);
    const dismiss = () => { setItems(others); };
    setItems((now) => [{ ...flash, id, dismissible: true, dismissLabel: 'Dismiss the message', onDismiss: dismiss }, ...others(now)].slice(0, most));
  }, []);
  const board = useMemo(() => ({ items, add }), [items, add]);
  return <BoardContext value={board}>{children}</BoardContext>;
}

function useBoard(): Board {
  const board = use(BoardContext);
  if (!board) throw new Error('messages are shown inside a FlashProvider only');
  return board;
}

/** Shows a message at the top of the page. */
export function useFlash(): (flash: Flash) => void {
  return useBoard().add;
}

/** Shows that something failed, with the code and text of the API. */
export function useFlashError(): (header: string, error: unknown) => void {
  const { add } = useBoard();
  return useCallback((header: string, error: unknown) => {
    const { code, message } = faultOf(error);
    add({ type: 'error', header, content: `${code}: ${message}` });
  }, [add]);
}

export function Flashes() {
  return <Flashbar items={useBoard().items} />;
}
