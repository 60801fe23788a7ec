import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Environment } from '../site/fault-site.ts';
import type { KillPoint } from './kill-points.ts';

/** A point at which a process will kill itself. */
export interface ArmedKill {
  point: KillPoint;
  /** At which pass of the point, from 1. */
  pass: number;
}

/** Name of the variable that carries the kill into a process. */
export const KILL_VARIABLE = 'HOLDFAST_TEST_KILL';

/** Environment of a process that is to kill itself there. */
export function killEnvironment(kill: ArmedKill): Environment {
  const hook = pathToFileURL(path.join(import.meta.dirname, 'kill-hook.ts')).href;
  return { NODE_OPTIONS: `--import ${hook}`, [KILL_VARIABLE]: JSON.stringify(kill) };
}

/** The source with the kill in its place. @throws Error unless the anchor stands exactly once */
export function insertKill(source: string, point: KillPoint): string {
  const { name, file, anchor, place, when, delayMs } = point;
  const parts = source.split(anchor);
  if (parts.length !== 2) {
    throw new Error(
      `kill point ${name}: its anchor stands ${parts.length - 1} times in ${file}, it must stand once`,
    );
  }
  const now = 'globalThis.holdfastKillPoint();';
  const kill = delayMs === undefined ? now : later(delayMs, now);
  const guarded = ` ${when === undefined ? '' : `if (${when}) `}{ ${kill} } `;
  return parts.join(place === 'before' ? `${guarded}${anchor}` : `${anchor}${guarded}`);
}

const later = (delayMs: number, what: string): string =>
  delayMs === 0 ? `setImmediate(() => { ${what} });` : `setTimeout(() => { ${what} }, ${delayMs});`;
