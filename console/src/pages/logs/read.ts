import {
  type CloudWatchLogsClient, DescribeLogStreamsCommand, FilterLogEventsCommand, type FilterLogEventsCommandOutput, GetLogEventsCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudwatch-logs';

import type { Line, Log } from './log';
import type { Span } from './range';

/** How many streams are looked at for the latest lines of a merged log: those that wrote last. */
const newest = 10;

/** The latest lines of a log, at most count, oldest first. A log that nothing was written to has none. */
export async function latest(logs: CloudWatchLogsClient, log: Log, span: Span, count: number): Promise<Line[]> {
  try {
    const streams = log.stream ? [log.stream] : await writers(logs, log.group);
    const lines = await Promise.all(streams.map((stream) => latestOf(logs, log.group, stream, span, count)));
    return lines.flat().sort((a, b) => a.time - b.time).slice(-count);
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return [];
    throw error;
  }
}

async function writers(logs: CloudWatchLogsClient, group: string): Promise<string[]> {
  const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: group, orderBy: 'LastEventTime', descending: true, limit: newest }));
  return (logStreams ?? []).map((stream) => stream.logStreamName ?? '');
}

async function latestOf(logs: CloudWatchLogsClient, group: string, stream: string, span: Span, limit: number): Promise<Line[]> {
  const { events } = await logs.send(new GetLogEventsCommand({ logGroupName: group, logStreamName: stream, startFromHead: false, limit, ...span }));
  return (events ?? []).map((event) => ({ time: event.timestamp ?? 0, stream, text: event.message ?? '' }));
}

/** All lines of a log, oldest first, in pieces. */
export async function* whole(logs: CloudWatchLogsClient, log: Log, span: Span, signal?: AbortSignal): AsyncGenerator<(Line & { id: string })[]> {
  let nextToken: string | undefined;
  do {
    const streams = log.stream ? { logStreamNames: [log.stream] } : {};
    const page: FilterLogEventsCommandOutput = await logs.send(
      new FilterLogEventsCommand({ logGroupName: log.group, ...streams, ...span, nextToken }),
      signal ? { abortSignal: signal } : {},
    );
    yield (page.events ?? []).map((e) => ({ id: e.eventId ?? '', time: e.timestamp ?? 0, stream: e.logStreamName ?? '', text: e.message ?? '' }));
    nextToken = page.nextToken;
  } while (nextToken);
}

/** The streams of a group, those that wrote last first. */
export async function streamsOf(logs: CloudWatchLogsClient, group: string): Promise<string[]> {
  const all: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await logs.send(new DescribeLogStreamsCommand({ logGroupName: group, orderBy: 'LastEventTime', descending: true, nextToken }));
    all.push(...(page.logStreams ?? []).map((stream) => stream.logStreamName ?? ''));
    nextToken = page.nextToken;
  } while (nextToken);
  return all;
}
