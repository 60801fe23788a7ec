export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type Fields = Record<string, unknown>;

/** One line an event: a constant sentence, values in fields; never payloads or keys. */
export type HubLog = (level: LogLevel, event: string, fields?: Fields) => void;

/** Syslog levels, as `iotedge logs` and GetModuleLogs read them from the start of a line. */
const SYSLOG = { error: 3, warn: 4, info: 6, debug: 7 } as const;
const SHORT = { error: 'ERR', warn: 'WRN', info: 'INF', debug: 'DBG' } as const;
const RANK = { error: 0, warn: 1, info: 2, debug: 3 } as const;

/** Writes lines in the form of edge hub: `<6> 2026-01-02 03:04:05.678 +00:00 [INF] - Sentence {"field":1}`. */
export function lineLog(
  write: (line: string) => void,
  wallMs: () => number,
  least: LogLevel = 'info',
): HubLog {
  return (level, event, fields) => {
    if (RANK[level] > RANK[least]) return;
    const time = new Date(wallMs()).toISOString().replace('T', ' ').replace('Z', ' +00:00');
    const rest = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
    write(`<${SYSLOG[level]}> ${time} [${SHORT[level]}] - ${event}${rest}\n`);
  };
}
