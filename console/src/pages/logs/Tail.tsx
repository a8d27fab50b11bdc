import Box from '@cloudscape-design/components/box';
import Spinner from '@cloudscape-design/components/spinner';
import { useQuery } from '@tanstack/react-query';
import { useLayoutEffect, useRef } from 'react';

import { useClients } from '../../aws/clients';
import { ErrorAlert } from '../../shell/ErrorAlert';
import { shownTime } from '../../words/time';
import type { Line, Log } from './log';
import { isLive, type Range, spanOf } from './range';
import { latest } from './read';
import '../../parts/lines.css';

/** How many lines are shown, and how often they are asked for, in milliseconds. */
const count = 100;
const every = 3000;

/** The latest lines of a log, kept up to date. */
export function Tail({ log, range }: { log: Log; range: Range }) {
  const { logs } = useClients();
  const { data, error, refetch } = useQuery({
    queryKey: ['log', log, range],
    queryFn: () => latest(logs, log, spanOf(range, Date.now()), count),
    refetchInterval: isLive(range) ? every : false,
    placeholderData: (before, query) => (JSON.stringify(query?.queryKey[1]) === JSON.stringify(log) ? before : undefined),
  });
  if (error && !data) return <ErrorAlert header={`${log.title} cannot be read`} error={error} retry={() => { void refetch(); }} />;
  if (!data) return <Spinner />;
  if (data.length === 0) return <Box color="text-status-inactive">Nothing was written in this time.</Box>;
  return <Lines label={`${log.title}, latest lines`} lines={data} />;
}

/** Lines in a box that stays at its end while new ones come. */
function Lines({ label, lines }: { label: string; lines: Line[] }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <div
      ref={box} className="log-lines log-tail" role="region" aria-label={label} tabIndex={0}
      onScroll={({ currentTarget: e }) => { atEnd.current = e.scrollHeight - e.scrollTop - e.clientHeight < 8; }}
    >
      {lines.map((line, i) => <LineRow key={i} line={line} />)}
    </div>
  );
}

/** One line: when, and what. */
export function LineRow({ line }: { line: Line }) {
  return <div className="log-line"><time dateTime={new Date(line.time).toISOString()}>{shownTime(line.time)}</time> {line.text}</div>;
}
