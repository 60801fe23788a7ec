import { readFile } from 'node:fs/promises';
import type { ParseArgsOptionsConfig } from 'node:util';
import { readPublicKeys, type TrustedKey } from '@holdfast/model-bundle';
import { type Run, UsageError } from './command.ts';

/** Options of every command that opens a private key. */
export const PASSPHRASE_OPTIONS: ParseArgsOptionsConfig = { 'passphrase-file': { type: 'string' } };

export const PASSPHRASE_HELP = `  --passphrase-file <file>  passphrase of the key, first line of a file; or as the variable HOLDFAST_KEY_PASSPHRASE.
                            Never as an option: other users of the machine can read those`;

/** The passphrase, from a file or the environment; undefined when none was given. */
export async function passphraseOf(run: Run): Promise<string | undefined> {
  const file = run.text('passphrase-file');
  const variable = run.terminal.environment.HOLDFAST_KEY_PASSPHRASE;
  if (file === undefined) return variable === '' ? undefined : variable;
  if (variable) {
    throw new UsageError('--passphrase-file and HOLDFAST_KEY_PASSPHRASE are both given, take one');
  }
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/);
  return line;
}

/** Public keys of all files that were named by `--key`. @throws KeyError */
export async function trustedKeysOf(run: Run): Promise<TrustedKey[]> {
  const keys: TrustedKey[] = [];
  for (const file of run.list('key')) keys.push(...readPublicKeys(await readFile(file, 'utf8')));
  return keys;
}

/** The option that must be there. @throws UsageError */
export function needed(run: Run, name: string): string {
  const value = run.text(name);
  if (value === undefined || value === '') throw new UsageError(`needs --${name}`);
  return value;
}
