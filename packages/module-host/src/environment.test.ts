import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { readEnvironment, unknownVariables } from './environment.ts';
import type { ConfigurationError } from './errors.ts';

const environment = z.object({
  HOLDFAST_HTTP_TOKEN: z.string().min(16),
  HOLDFAST_WORKERS: z.coerce.number().int().min(1).max(8).default(1),
});
const read = (variables: NodeJS.ProcessEnv) =>
  readEnvironment({ environment, httpPort: 8081 }, variables);
const problemsOf = (variables: NodeJS.ProcessEnv): readonly string[] => {
  try {
    read(variables);
  } catch (error) {
    return (error as ConfigurationError).problems;
  }
  throw new Error('was accepted');
};
const token = 'a token of some length';

describe('environment', () => {
  it('has defaults for everything that every module has', () => {
    expect(read({ HOLDFAST_HTTP_TOKEN: token })).toEqual({
      HOLDFAST_HTTP_TOKEN: token,
      HOLDFAST_WORKERS: 1,
      HOLDFAST_SITE: 'site',
      HOLDFAST_DATA_DIR: './data',
      HOLDFAST_HTTP_HOST: '127.0.0.1',
      HOLDFAST_HTTP_PORT: 8081,
      HOLDFAST_HTTP_TLS: 'off',
      HOLDFAST_TRANSPORT: 'edge-hub',
    });
  });

  it('says everything that is wrong at once, as it was written', () => {
    expect(
      problemsOf({
        HOLDFAST_WORKERS: 'many',
        HOLDFAST_HTTP_PORT: '70000',
        HOLDFAST_HTTP_TLS: 'on',
        HOLDFAST_SITE: '/etc',
      }),
    ).toEqual([
      'HOLDFAST_SITE: "/etc" is not allowed, must be letters, digits and _ . : ( ) % ° + - or single words with spaces between them, and not begin or end with a space or a dot',
      'HOLDFAST_HTTP_PORT: "70000" is not allowed, must be at most 65535',
      'HOLDFAST_HTTP_TLS: "on" is not allowed, must be "off" or "workload"',
      'HOLDFAST_HTTP_TOKEN: is missing, must be a string',
      'HOLDFAST_WORKERS: "many" is not allowed, must be a number',
    ]);
  });

  it('takes a secret from a mounted file, without the line end', () => {
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, `${token}\n`);
    expect(read({ HOLDFAST_HTTP_TOKEN_FILE: file }).HOLDFAST_HTTP_TOKEN).toBe(token);
  });

  it('never shows a secret', () => {
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, 'short');
    for (const variables of [
      { HOLDFAST_HTTP_TOKEN: 'short' },
      { HOLDFAST_HTTP_TOKEN_FILE: file },
    ]) {
      expect(problemsOf(variables)).toEqual([
        'HOLDFAST_HTTP_TOKEN: must have at least 16 characters',
      ]);
    }
    const kinds = ['PASSWORD', 'CREDENTIALS', 'SAS', 'CONNECTION_STRING', 'KEY'];
    for (const name of kinds.map((kind) => `HOLDFAST_${kind}`)) {
      const module = { environment: z.object({ [name]: z.string().min(16) }), httpPort: 8081 };
      expect(() => readEnvironment(module, { [name]: 'geheim' })).toThrow(name);
      expect(() => readEnvironment(module, { [name]: 'geheim' })).not.toThrow('geheim');
    }
  });

  it('refuses a variable that is given twice, and a file that is not there', () => {
    expect(problemsOf({ HOLDFAST_HTTP_TOKEN: token, HOLDFAST_HTTP_TOKEN_FILE: '/x' })[0]).toContain(
      'HOLDFAST_HTTP_TOKEN: is set together with HOLDFAST_HTTP_TOKEN_FILE',
    );
    expect(problemsOf({ HOLDFAST_HTTP_TOKEN_FILE: '/not/there' })[0]).toContain(
      'HOLDFAST_HTTP_TOKEN_FILE: ENOENT',
    );
  });

  it('takes an empty variable for one that is not set', () => {
    expect(read({ HOLDFAST_HTTP_TOKEN: token, HOLDFAST_WORKERS: '' }).HOLDFAST_WORKERS).toBe(1);
  });

  it('finds variables that nobody reads', () => {
    const variables = { HOLDFAST_SIET: 'x', HOLDFAST_SITE: 'y', HOLDFAST_HTTP_TOKEN_FILE: 'z' };
    expect(unknownVariables(environment, variables)).toEqual(['HOLDFAST_SIET']);
  });
});
