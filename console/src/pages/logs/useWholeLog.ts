import { useEffect, useState } from 'react';

import { useClients } from '../../aws/clients';
import type { Line, Log } from './log';
import { isLive, type Range, type Span, spanOf } from './range';
import { whole } from './read';

/** How many lines a page holds. */
export const most = 100_000;

/** How often new lines are asked for, and how much later than others a line may arrive, in milliseconds. */
const every = 2000;
const late = 10_000;

interface Whole {
  lines: Line[];
  /** Everything of the time is here; new lines come as they are written. */
  done: boolean;
  /** There are more lines than a page holds. */
  cut: boolean;
  error: unknown;
}

const nothing: Whole = { lines: [], done: false, cut: false, error: undefined };

/** All lines of a log in a time, as they arrive, and those that are written meanwhile. */
export function useWholeLog(log: Log, range: Range): Whole {
  const { logs } = useClients();
  const [state, setState] = useState(nothing);
  const wanted = JSON.stringify([log, range]);
  useEffect(() => {
    const stop = new AbortController();
    const [what, when] = JSON.parse(wanted) as [Log, Range];
    const kept = new Kept();
    const read = async (span: Span) => {
      for await (const lines of whole(logs, what, span, stop.signal)) {
        if (stop.signal.aborted) return;
        const more = kept.add(lines);
        if (more) setState({ lines: kept.lines(), done: false, cut: kept.full, error: undefined });
        if (kept.full) break;
      }
      if (!stop.signal.aborted) setState({ lines: kept.lines(), done: true, cut: kept.full, error: undefined });
    };
    const run = async () => {
      setState(nothing);
      await read(spanOf(when, Date.now()));
      while (isLive(when) && !kept.full && !stop.signal.aborted) {
        await new Promise((resolve) => { setTimeout(resolve, every); });
        if (!stop.signal.aborted && !document.hidden) await read({ startTime: Math.max(kept.newest - late, 0) });
      }
    };
    run().catch((error: unknown) => { if (!stop.signal.aborted) setState((now) => ({ ...now, done: true, error })); });
    return () => { stop.abort(); };
  }, [logs, wanted]);
  return state;
}

/** Lines in the order of their times, each once. */
class Kept {
  #lines = new Map<string, Line>();
  #sorted: Line[] = [];
  newest = 0;

  get full() { return this.#lines.size >= most; }

  /** Adds those that are not there yet, and tells whether there were any. */
  add(lines: (Line & { id: string })[]): boolean {
    const before = this.#lines.size;
    for (const { id, ...line } of lines) {
      if (this.full || this.#lines.has(id)) continue;
      this.#lines.set(id, line);
      this.newest = Math.max(this.newest, line.time);
    }
    if (this.#lines.size === before) return false;
    this.#sorted = [...this.#lines.values()].sort((a, b) => a.time - b.time);
    return true;
  }

  /** The same array until there are more. */
  lines() { return this.#sorted; }
}
