import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { useMutation } from '@tanstack/react-query';

import { useClients } from '../../aws/clients';
import { save } from '../../parts/save';
import { useFlashError } from '../../shell/flash';
import { type Line, type Log } from './log';
import { type Range, spanOf } from './range';
import { whole } from './read';

/** Downloads a log of a time as a text file. */
export function useDownload() {
  const { logs } = useClients();
  const flashError = useFlashError();
  const { mutate, isPending } = useMutation({
    mutationFn: async ({ log, range }: { log: Log; range: Range }) => {
      save(log.file, 'text/plain', await textOf(logs, log, range));
    },
    onError: (error, { log }) => { flashError(`${log.title} cannot be downloaded`, error); },
  });
  return { download: (log: Log, range: Range = null) => { mutate({ log, range }); }, isPending };
}

async function textOf(logs: CloudWatchLogsClient, log: Log, range: Range): Promise<string> {
  const parts: string[] = [];
  for await (const lines of whole(logs, log, spanOf(range, Date.now()))) {
    parts.push(...lines.map((line) => fileLine(line, !log.stream)));
  }
  return parts.join('');
}

/** A line of a file; where several streams are one, with the one it is of. */
function fileLine({ time, stream, text }: Line, merged: boolean): string {
  return `${new Date(time).toISOString()} ${merged ? `[${instanceOf(stream)}] ` : ''}${text}\n`;
}

/** What people call a stream: the id of its instance or operation. */
export function instanceOf(stream: string): string {
  return stream.slice(stream.indexOf('/') + 1);
}
