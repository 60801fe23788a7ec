import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ProjectOptions } from '../deployment/project.ts';

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends Error {
  readonly code = 'EDGE_USAGE';
}

export const DEFAULT_TEMPLATE = 'deployment.template.json';
export const DEFAULT_STATE = '.holdfast/edge';

const options = {
  template: { type: 'string', short: 't' },
  manifest: { type: 'string', short: 'm' },
  env: { type: 'string', short: 'e' },
  platform: { type: 'string', short: 'p' },
  state: { type: 'string', short: 's' },
  modules: { type: 'string', multiple: true },
  device: { type: 'string', multiple: true },
  out: { type: 'string', short: 'o' },
  'backoff-scale': { type: 'string' },
  tail: { type: 'string' },
  since: { type: 'string' },
  level: { type: 'string' },
  regex: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export type OptionName = keyof typeof options;
export type Values = Partial<Record<Exclude<OptionName, 'modules' | 'device' | 'help'>, string>> & {
  modules?: string[];
  device?: string[];
  help?: boolean;
};

/** @throws UsageError for an option that the command does not have */
export function readArguments(
  args: readonly string[],
  allowed: readonly OptionName[],
): { values: Values; positionals: string[] } {
  const names: OptionName[] = [...allowed, 'help'];
  const chosen = Object.fromEntries(names.map((name) => [name, options[name]]));
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: chosen,
      allowPositionals: true,
      strict: true,
    });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Template or manifest with what goes with it. @throws UsageError */
export function projectOf(
  values: Values,
  environment: Readonly<Record<string, string>>,
): ProjectOptions {
  const { template, manifest, env, platform } = values;
  if (template !== undefined && manifest !== undefined)
    throw new UsageError('give --template or --manifest, not both');
  if (env !== undefined && !existsSync(env)) throw new UsageError(`--env: there is no file ${env}`);
  return {
    ...(manifest === undefined ? { template: template ?? DEFAULT_TEMPLATE } : { manifest }),
    platform,
    environment,
    environmentFile: env,
  };
}

/** @throws UsageError */
export function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max)
    throw new UsageError(
      `--${name}: ${text} is not allowed, must be a number from ${min} to ${max}`,
    );
  return value;
}
