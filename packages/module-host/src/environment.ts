import { readFileSync } from 'node:fs';
import { check, Name, showValue } from '@holdfast/contracts';
import { z } from 'zod';
import { ConfigurationError, linesOf } from './errors.ts';
import type { HostEnvironment } from './port.ts';

/** The variables that every module has, with their meaning for the settings table. */
export const hostEnvironment = (defaults: { httpPort: number }) =>
  z.object({
    HOLDFAST_SITE: Name.default('site').describe('Name of the site, in every record and blob name'),
    HOLDFAST_DATA_DIR: z
      .string()
      .min(1)
      .default('./data')
      .describe('Folder for databases and last good settings; a volume'),
    HOLDFAST_HTTP_HOST: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address to listen on; 0.0.0.0 lets other machines in'),
    HOLDFAST_HTTP_PORT: z.coerce
      .number()
      .int()
      .min(0)
      .max(65_535)
      .default(defaults.httpPort)
      .describe('Port for health, metrics and the API of the module; 0 takes a free one'),
    HOLDFAST_HTTP_TLS: z
      .enum(['off', 'workload'])
      .default('off')
      .describe('workload: HTTPS with a certificate from the IoT Edge workload API'),
    HOLDFAST_TRANSPORT: z
      .enum(['edge-hub', 'none'])
      .default('edge-hub')
      .describe('none: run without a hub, to try a module alone'),
  });

/**
 * Reads the variables of a schema. A variable `X` can also come as `X_FILE`, the path of a file with its value, as
 * mounted secrets do. Says everything that is wrong at once, one line each, never with the value of a secret.
 * @throws ConfigurationError
 */
export function readEnvironment<Env extends z.ZodObject>(
  module: { environment: Env; httpPort: number },
  environment: NodeJS.ProcessEnv,
): z.output<Env> & HostEnvironment & { HOLDFAST_HTTP_TLS: string; HOLDFAST_TRANSPORT: string } {
  const host = hostEnvironment({ httpPort: module.httpPort });
  const schema = host.extend(module.environment.shape);
  const problems: string[] = [];
  const secrets = new Set<string>();
  const document: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = readVariable(name, environment, problems, secrets);
    if (value !== undefined) document[name] = value;
  }
  const checked = check(schema, document);
  if (!checked.ok) {
    // Shown as it was written, not as it was coerced, and secrets not at all.
    const shown = checked.problems.map(({ path, allowed }) => {
      const text = document[path];
      const secret = secrets.has(path) || looksSecret(path);
      return {
        path,
        allowed,
        ...(text === undefined || secret ? {} : { value: showValue(text) }),
      };
    });
    problems.push(...linesOf(shown));
  }
  if (problems.length > 0 || !checked.ok) throw new ConfigurationError(problems);
  return checked.value as z.output<Env> & ReturnType<typeof readEnvironment<Env>>;
}

const looksSecret = (name: string): boolean =>
  /TOKEN|SECRET|PASSWORD|CREDENTIALS|KEY|CONNECTION_STRING|SAS/.test(name);

function readVariable(
  name: string,
  environment: NodeJS.ProcessEnv,
  problems: string[],
  secrets: Set<string>,
): string | undefined {
  // An empty variable is one that is not set: that is how deployment templates leave them out.
  const value = environment[name] || undefined;
  const file = environment[`${name}_FILE`] || undefined;
  if (file === undefined) return value;
  if (value !== undefined) {
    problems.push(`${name}: is set together with ${name}_FILE, one of them must be left out`);
    return undefined;
  }
  secrets.add(name);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    problems.push(`${name}_FILE: ${(error as Error).message}`);
    return undefined;
  }
}

/** Variables that begin with HOLDFAST_ and that nobody reads: most likely misspelt. */
export function unknownVariables(schema: z.ZodObject, environment: NodeJS.ProcessEnv): string[] {
  const known = new Set(Object.keys(hostEnvironment({ httpPort: 0 }).extend(schema.shape).shape));
  return Object.keys(environment).filter(
    (name) =>
      name.startsWith('HOLDFAST_') && !known.has(name.replace(/_FILE$/, '')) && !known.has(name),
  );
}
