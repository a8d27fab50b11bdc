import { describe, expect, it } from 'vitest';

import { checkRange, durations, isLive, most, periodFor, periodsOf, periodWords, rangeText, readRange, windowOf } from './window';

const now = Date.parse('2026-03-05T10:17:42.500Z');
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

describe('a duration until now', () => {
  it.each([
    ['1h', minute, '2026-03-05T09:18:00Z', '2026-03-05T10:18:00Z'],
    ['3h', 2 * minute, '2026-03-05T07:18:00Z', '2026-03-05T10:18:00Z'],
    ['12h', 10 * minute, '2026-03-04T22:20:00Z', '2026-03-05T10:20:00Z'],
    ['1d', 15 * minute, '2026-03-04T10:30:00Z', '2026-03-05T10:30:00Z'],
    ['3d', hour, '2026-03-02T11:00:00Z', '2026-03-05T11:00:00Z'],
    ['1w', 2 * hour, '2026-02-26T12:00:00Z', '2026-03-05T12:00:00Z'],
  ] as const)('%s is cut into whole periods, the present one included', (last, period, start, end) => {
    expect(windowOf({ last }, now)).toEqual({ start: Date.parse(start), end: Date.parse(end), period });
  });

  it('has never more periods than a graph can show', () => {
    for (const last of durations) expect(periodsOf(windowOf({ last }, now)).length).toBeLessThanOrEqual(most);
  });

  it('ends now where a period ends now', () => {
    expect(windowOf({ last: '1h' }, Date.parse('2026-03-05T10:00:00Z')).end).toBe(Date.parse('2026-03-05T10:00:00Z'));
  });
});

describe("a time of a person's own", () => {
  it('is widened to whole periods', () => {
    const range = { from: Date.parse('2026-03-05T08:00:30Z'), to: Date.parse('2026-03-05T08:10:01Z') };
    expect(windowOf(range, now)).toEqual({ start: Date.parse('2026-03-05T08:00:00Z'), end: Date.parse('2026-03-05T08:11:00Z'), period: minute });
  });

  it.each([
    ['from 8 to 8', now, now, 'The time has to end after it begins.'],
    ['backwards', now, now - 1, 'The time has to end after it begins.'],
    ['in the future', now + 1, now + hour, 'The time has not begun yet.'],
    ['from nowhere', NaN, now, 'Choose when it begins and when it ends.'],
    ['as it should be', now - hour, now + hour, undefined],
  ])('%s', (_, from, to, fault) => {
    expect(checkRange(from, to, now)).toBe(fault);
  });
});

describe('the period', () => {
  it.each([
    ['an hour of today', hour, hour, minute],
    ['an hour of 16 days ago, which is kept by five minutes', hour, 16 * day, 5 * minute],
    ['an hour of 64 days ago, which is kept by the hour', hour, 64 * day, hour],
    ['15 months', 455 * day, 455 * day, day],
  ])('of %s', (_, length, age, period) => {
    expect(periodFor(length, age)).toBe(period);
  });

  it.each([[minute, 'minute'], [5 * minute, '5 minutes'], [hour, 'hour'], [6 * hour, '6 hours'], [day, 'day']])('of %d ms is called %s', (period, words) => {
    expect(periodWords(period)).toBe(words);
  });
});

describe('a range in an address', () => {
  it.each([...durations.map((last) => ({ last })), { from: now - hour, to: now }])('comes back: %o', (range) => {
    expect(readRange(rangeText(range), now)).toEqual(range);
  });

  it.each([null, '', '2h', '~', 'a~b', '2026-03-05T10:00:00Z~2026-03-05T09:00:00Z'])('is the last hour for %o', (text) => {
    expect(readRange(text, now)).toEqual({ last: '1h' });
  });

  it('goes on only where it ends now', () => {
    expect(isLive({ last: '1h' })).toBe(true);
    expect(isLive({ from: 0, to: now })).toBe(false);
  });
});
