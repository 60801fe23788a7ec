import { readFile } from 'node:fs/promises';
import type { ParseArgsOptionsConfig } from 'node:util';
import { parseCredentials, type ReachOptions } from '@holdfast/model-bundle';
import { type Run, UsageError } from './command.ts';

/** Options of the commands that reach a registry or a web server. */
export const REACH_OPTIONS: ParseArgsOptionsConfig = {
  credentials: { type: 'string' },
  ca: { type: 'string' },
  'allow-http': { type: 'string', multiple: true },
};

export const REACH_HELP = `  --credentials <file>   JSON by host: {"registry.example:5000": {"username": "...", "password": "..."}}, or {"token": "..."},
                         or {"sas": "..."} for Azure Storage, where a path may follow the host. Or as the variable
                         HOLDFAST_MODEL_CREDENTIALS. Never in a ref or an option: other users of the machine can read those
  --ca <file>            certificates (PEM) to trust beside the usual ones
  --allow-http <host>    host[:port] that may be reached without TLS; this machine always may`;

export const REF_HELP = `A ref is one of
  /path or file:///path                  a folder with the bundle, or with many bundles in it
  https://host/path                      model.json and its files below this URL; Azure Blob Storage too
  oci://host[:port]/repository:tag       an artifact in an OCI registry; @sha256:... after it, or instead of the tag,
                                         is the digest of its OCI manifest. oci+http:// for a registry without TLS`;

/** @throws UsageError, SourceError */
export async function reachOptionsOf(run: Run): Promise<ReachOptions> {
  const file = run.text('credentials');
  const variable = run.terminal.environment.HOLDFAST_MODEL_CREDENTIALS;
  if (file !== undefined && variable) {
    throw new UsageError('--credentials and HOLDFAST_MODEL_CREDENTIALS are both given, take one');
  }
  const text = file === undefined ? variable : await readFile(file, 'utf8');
  const ca = run.text('ca');
  return {
    credentials: text ? parseCredentials(text) : undefined,
    ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
    allowHttp: run.list('allow-http'),
    onRetry: (error, pauseMs) =>
      run.terminal.error(`${error.message}; again in ${(pauseMs / 1_000).toFixed(1)} s`),
  };
}
