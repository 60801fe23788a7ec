import { describe, expect, it } from '@jest/globals';
import { createLog, errorFields } from './log.ts';

function lines(level: string | undefined, use: (log: ReturnType<typeof createLog>) => void) {
  const written: string[] = [];
  use(
    createLog({
      write: (line) => written.push(line),
      wallMs: () => Date.UTC(2026, 10, 23, 23, 1, 13, 123),
      level,
    }),
  );
  return written;
}

describe('log', () => {
  it('writes one line an event in the form that the IoT Edge runtime filters', () => {
    expect(
      lines(undefined, (log) => log.info('Batch applied', { rows: 3, stream: 'ingest-0' })),
    ).toEqual([
      '<6> 2026-11-23 23:01:13.123 +00:00 [INF] - Batch applied {"rows":3,"stream":"ingest-0"}\n',
    ]);
  });

  it.each([
    [undefined, '346'],
    ['verbose', '3467'],
    ['Debug', '3467'],
    ['warning', '34'],
    ['error', '3'],
    ['fatal', ''],
  ])('at RuntimeLogLevel %s prints syslog levels %s', (level, expected) => {
    const written = lines(level, (log) => {
      log.error('e');
      log.warn('w');
      log.info('i');
      log.debug('d');
    });
    expect(written.map((line) => line[1]).join('')).toBe(expected);
  });

  it('stays on one line whatever is in it', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const written = lines('info', (log) => {
      log.info('two\nlines', { text: 'a\nb', big: 1n, error: new Error('why') });
      log.info('odd', circular);
    });
    expect(written).toHaveLength(2);
    for (const line of written) expect(line.trimEnd()).not.toContain('\n');
    expect(written[0]).toContain('two lines {"text":"a\\nb","big":"1","error":{"message":"why"}}');
  });

  it('shows code, message and causes of an error', () => {
    const cause = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
    const error = Object.assign(new Error('cannot commit', { cause }), { code: 'JOURNAL_COMMIT' });
    expect(errorFields(error)).toEqual({
      code: 'JOURNAL_COMMIT',
      message: 'cannot commit',
      cause: { code: 'ENOSPC', message: 'disk full' },
    });
    expect(errorFields('text')).toEqual({ message: 'text' });
  });
});
