/** One line of a module's output as it is kept on disk: the form of Docker's json-file driver. */
export interface LogLine {
  log: string;
  stream: 'stdout' | 'stderr';
  /** ISO 8601. */
  time: string;
}

/** Filters of GetModuleLogs; all must hold. */
export interface LogFilter {
  /** Last lines only, after the other filters. */
  tail?: number;
  /** ISO 8601, or a span back from now such as `10m`. */
  since?: string;
  until?: string;
  /** Syslog level: this one and more severe. 3 error, 4 warning, 6 info, 7 debug. */
  level?: number;
  regex?: string;
}

/** Level from the `<n>` at the start of a line; a line without one is info. */
export function levelOf(log: string): number {
  const found = /^<([0-7])>/.exec(log);
  return found === null ? 6 : Number(found[1]);
}

/**
 * Picks lines in order.
 * @throws RangeError when a time or the regular expression cannot be read
 */
export function filterLines(lines: Iterable<LogLine>, filter: LogFilter, nowMs: number): LogLine[] {
  const since = timeOf(filter.since, nowMs) ?? Number.NEGATIVE_INFINITY;
  const until = timeOf(filter.until, nowMs) ?? Number.POSITIVE_INFINITY;
  const pattern = patternOf(filter.regex);
  const kept: LogLine[] = [];
  for (const line of lines) {
    const time = Date.parse(line.time);
    if (time < since || time > until) continue;
    if (filter.level !== undefined && levelOf(line.log) > filter.level) continue;
    if (pattern !== undefined && !pattern.test(line.log)) continue;
    kept.push(line);
  }
  return filter.tail === undefined ? kept : kept.slice(Math.max(0, kept.length - filter.tail));
}

const spans: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function timeOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || text === '') return undefined;
  const span = /^(\d+)\s*([smhd])[a-z]*$/.exec(text);
  if (span !== null) return nowMs - Number(span[1]) * (spans[span[2] ?? ''] ?? 0);
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new RangeError(`${JSON.stringify(text)} is no time: use ISO 8601 or a span like 10m`);
  return time;
}

function patternOf(regex: string | undefined): RegExp | undefined {
  if (regex === undefined || regex === '') return undefined;
  try {
    return new RegExp(regex);
  } catch (error) {
    throw new RangeError(`regex: ${(error as Error).message}`);
  }
}
