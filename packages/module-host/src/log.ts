import type { Log } from './port.ts';

/** Syslog number and label of a level, as the IoT Edge runtime prints them and `iotedge logs` filters them. */
const LEVELS = {
  error: { syslog: 3, label: 'ERR', rank: 1 },
  warn: { syslog: 4, label: 'WRN', rank: 2 },
  info: { syslog: 6, label: 'INF', rank: 3 },
  debug: { syslog: 7, label: 'DBG', rank: 4 },
} as const;
type Level = keyof typeof LEVELS;

/** Values of `RuntimeLogLevel`, the variable that edgeAgent hands to every module, to the rank up to which is logged. */
const RANK_OF_RUNTIME_LEVEL: Record<string, number> = {
  verbose: 4,
  debug: 4,
  info: 3,
  information: 3,
  warning: 2,
  error: 1,
  fatal: 0,
};

export interface LogOptions {
  write(line: string): void;
  wallMs(): number;
  /** As in `RuntimeLogLevel`, any case. @default info */
  level?: string | undefined;
}

/** One line an event: `<6> 2026-11-23 23:01:13.123 +00:00 [INF] - sentence {"json":"fields"}`. */
export function createLog(options: LogOptions): Log {
  const rank = RANK_OF_RUNTIME_LEVEL[(options.level ?? 'info').toLowerCase()] ?? 3;
  const at =
    (level: Level) =>
    (event: string, fields?: Record<string, unknown>): void => {
      if (LEVELS[level].rank > rank) return;
      options.write(`${formatLine(level, options.wallMs(), event, fields)}\n`);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

function formatLine(
  level: Level,
  wallMs: number,
  event: string,
  fields: Record<string, unknown> | undefined,
): string {
  const time = new Date(wallMs).toISOString().replace('T', ' ').replace('Z', ' +00:00');
  const { syslog, label } = LEVELS[level];
  const text = event.replace(/[\r\n]+/g, ' ');
  return `<${syslog}> ${time} [${label}] - ${text}${fields === undefined ? '' : ` ${fieldsJson(fields)}`}`;
}

function fieldsJson(fields: Record<string, unknown>): string {
  try {
    return JSON.stringify(fields, (_key, value: unknown) =>
      typeof value === 'bigint'
        ? value.toString()
        : value instanceof Error
          ? errorFields(value)
          : value,
    );
  } catch (error) {
    return JSON.stringify({ unprintable: (error as Error).message });
  }
}

/** `code` and `message` of an error, with those of its causes: what a log line may say about it. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error) && !isErrorLike(error)) return { message: String(error) };
  const { code, message, cause } = error as Error & { code?: unknown };
  return {
    ...(code === undefined ? {} : { code }),
    message,
    ...(cause === undefined ? {} : { cause: errorFields(cause) }),
  };
}

/** Errors of another realm (jest, vm) are no instances of this one's Error. */
const isErrorLike = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value;
