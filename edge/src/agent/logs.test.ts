import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { LogFile } from './log-file.ts';
import { filterLines, type LogLine, levelOf } from './log-lines.ts';

const aLine = (log: string, minute = 0): LogLine => ({
  log,
  stream: 'stdout',
  time: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
});

describe('filterLines', () => {
  const lines = [
    aLine('<3> broken', 0),
    aLine('<6> fine', 10),
    aLine('plain', 20),
    aLine('<7> detail', 30),
  ];
  const now = Date.UTC(2026, 0, 1, 0, 31);
  const texts = (filter: Parameters<typeof filterLines>[1]): string[] =>
    filterLines(lines, filter, now).map(({ log }) => log);

  it.each([
    [{}, ['<3> broken', '<6> fine', 'plain', '<7> detail']],
    [{ tail: 2 }, ['plain', '<7> detail']],
    [{ tail: 0 }, []],
    [{ level: 3 }, ['<3> broken']],
    [{ level: 6 }, ['<3> broken', '<6> fine', 'plain']],
    [{ level: 6, tail: 1 }, ['plain']],
    [{ regex: 'f.ne' }, ['<6> fine']],
    [{ since: '15m' }, ['plain', '<7> detail']],
    [{ since: '2026-01-01T00:10:00Z', until: '2026-01-01T00:20:00Z' }, ['<6> fine', 'plain']],
  ])('%j leaves %j', (filter, expected) => {
    expect(texts(filter)).toEqual(expected);
  });

  it.each([[{ since: 'yesterday' }], [{ regex: '(' }]])('refuses %j', (filter) => {
    expect(() => texts(filter)).toThrow(RangeError);
  });

  it('takes the level from the start of a line, info without one', () => {
    expect(['<0> a', '<4>b', '[WRN] c', '<9> d'].map(levelOf)).toEqual([0, 4, 6, 6]);
  });
});

describe('LogFile', () => {
  const logs = (file: LogFile): string[] => [...file.lines()].map(({ log }) => log);

  it('keeps what was written before it was opened', () => {
    const file = path.join(temporaryFolder(), 'm.log');
    new LogFile(file).append(aLine('one'));
    const second = new LogFile(file);
    second.append(aLine('two'));
    expect(logs(second)).toEqual(['one', 'two']);
  });

  it('rotates at max-size and keeps max-file parts, oldest first', () => {
    const folder = temporaryFolder();
    const file = new LogFile(path.join(folder, 'm.log'), { 'max-size': '1k', 'max-file': '3' });
    const written = Array.from({ length: 60 }, (_, i) => `line ${i}`);
    for (const log of written) file.append(aLine(log));
    const parts = readdirSync(folder).sort();
    expect(parts).toEqual(['m.log', 'm.log.1', 'm.log.2']);
    for (const part of parts)
      expect(readFileSync(path.join(folder, part)).length).toBeLessThanOrEqual(1024);
    const kept = logs(file);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(written.slice(-kept.length));
  });

  it('skips a line that was cut off by a crash', () => {
    const file = path.join(temporaryFolder(), 'm.log');
    writeFileSync(file, `${JSON.stringify(aLine('whole'))}\n{"log":"ha`);
    expect(logs(new LogFile(file))).toEqual(['whole']);
  });
});
