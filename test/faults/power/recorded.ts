import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { ChildProcess } from '@holdfast/testkit';
import { type LogEntry, readLog } from '../disk/log.ts';
import { shimEnvironment } from '../disk/shim.ts';
import { plantEnvironment } from '../plants/plant.ts';
import type { Round } from '../scenario.ts';

/** The log of a process that ran to its end with its disk in `<folder of the round>/disk`. */
export async function recorded(
  round: Round,
  file: string,
  args: (disk: string) => readonly string[],
): Promise<LogEntry[]> {
  const disk = path.join(round.folder, 'disk');
  const record = path.join(round.folder, 'log');
  mkdirSync(disk);
  const child = ChildProcess.start(file, {
    args: args(disk),
    env: { ...shimEnvironment({ folder: disk, record }), ...plantEnvironment(round.plant) },
  });
  const { code, signal } = await child.exited;
  if (code !== 0) throw new Error(`the process ended with ${signal ?? code}:\n${child.output}`);
  return readLog(record).map(({ entry }) => entry);
}

/** Lines that the process has printed, each with how many entries of the log came up to it. */
export function linesOf(entries: readonly LogEntry[]): { line: string; at: number }[] {
  let open = '';
  return entries.flatMap((entry, index) => {
    if (entry.kind !== 'output' || entry.fd !== 1) return [];
    const parts = `${open}${String(entry.data)}`.split('\n');
    open = parts.pop() ?? '';
    return parts.map((line) => ({ line, at: index + 1 }));
  });
}
