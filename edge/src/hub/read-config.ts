import { readFileSync } from 'node:fs';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type { HubConfig } from './config.ts';
import { HubError } from './errors.ts';

const Schema = z.strictObject({
  deviceId: z.string().min(1),
  iotHubHostName: z.string().min(1),
  host: z.string().min(1),
  port: z.int().min(0).max(65_535),
  stateDir: z.string().min(1),
  tls: z.strictObject({ keyFile: z.string(), certFile: z.string() }),
  identities: z.record(z.string(), z.string()),
  routes: z.record(
    z.string(),
    z.strictObject({
      route: z.string(),
      priority: z.int().min(0),
      timeToLiveSecs: z.int(),
    }),
  ),
  timeToLiveSecs: z.int(),
  desired: z.record(z.string(), z.record(z.string(), z.unknown())),
  controlSocket: z.string().min(1),
  cloudUrl: z.string(),
  cloudCaFile: z.string().optional(),
  cloudKey: z.string().optional(),
  ackTimeoutMs: z.int().min(10).optional(),
  sweepIntervalMs: z.int().min(10).optional(),
});

/** @throws HubError HUB_CONFIG naming every field that is wrong. */
export function readHubConfig(path: string): HubConfig {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new HubError('HUB_CONFIG', `${path}: ${(error as Error).message}`, { cause: error });
  }
  const checked = check(Schema, document);
  if (!checked.ok) {
    throw new HubError('HUB_CONFIG', `${path}: ${describeProblems(checked.problems)}`);
  }
  return checked.value as HubConfig;
}
