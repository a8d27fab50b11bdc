import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';

import { shownMoment } from '../../words/time';
import { instanceOf } from './download';
import type { Line } from './log';
import '../../parts/lines.css';

interface Props {
  label: string;
  lines: Line[];
  /** The lines are of several streams, and each says which. */
  merged: boolean;
}

/** Any number of lines in a box; those out of sight are not part of the page. It stays at its end while it is there. */
export function FullLog({ label, lines, merged }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => 20, overscan: 20 });
  useEffect(() => {
    if (atEnd.current && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: 'end' });
    // What the virtualizer is called does not matter: it is the same one.
  }, [lines]);
  return (
    <div
      ref={box} className="log-lines log-full" role="region" aria-label={label} tabIndex={0}
      onScroll={({ currentTarget: e }) => { atEnd.current = e.scrollHeight - e.scrollTop - e.clientHeight < 40; }}
    >
      <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {rows.getVirtualItems().map(({ index, key, start }) => {
          const line = lines[index];
          return line && (
            <div key={key} ref={rows.measureElement} data-index={index} className="log-line" style={{ position: 'absolute', insetInline: 0, transform: `translateY(${String(start)}px)` }}>
              <time dateTime={new Date(line.time).toISOString()}>{shownMoment(line.time)}</time>
              {merged && <span>[{instanceOf(line.stream).slice(0, 8)}] </span>}
              {line.text}
            </div>
          );
        })}
      </div>
    </div>
  );
}
