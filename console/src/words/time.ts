/** A moment as it is shown: local, to the second, and in an order that also sorts. */
export function shownTime(at: Date | number | undefined): string {
  return at === undefined ? '' : local(at).slice(0, 19);
}

/** A moment to the millisecond, for log lines. */
export function shownMoment(at: number): string {
  return local(at);
}

function local(at: Date | number): string {
  const time = new Date(at);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 23).replace('T', ' ');
}
