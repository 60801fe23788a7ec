import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const notePath = (path: string): string => `${path}-damaged`;

/** Leaves a note for the next start, which is when a journal is salvaged. The owner ends the process. */
export function noteDamage(path: string, what: string): void {
  try {
    writeFileSync(notePath(path), what, { mode: 0o600 });
  } catch {
    // Without the note the next start finds the damage by itself, or when it comes to it again.
  }
}

/** What was noted, if anything. */
export function damageNoted(path: string): string | undefined {
  try {
    return readFileSync(notePath(path), 'utf8');
  } catch {
    return undefined;
  }
}

export const forgetDamage = (path: string): void => rmSync(notePath(path), { force: true });
