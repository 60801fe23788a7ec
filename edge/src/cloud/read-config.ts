import { readFileSync } from 'node:fs';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type { CloudConfig } from './config.ts';
import { CloudError } from './errors.ts';

const Schema = z.strictObject({
  hostName: z.string().min(1),
  host: z.string().min(1),
  port: z.int().min(0).max(65_535),
  stateDir: z.string().min(1),
  tls: z.strictObject({ keyFile: z.string(), certFile: z.string() }),
  devices: z.record(z.string(), z.string()),
  policies: z.record(z.string(), z.string()),
  controlSocket: z.string().min(1),
  messagesMax: z.int().min(1).optional(),
  bytesMax: z.int().min(1).optional(),
});

/** @throws CloudError ArgumentInvalid naming every field that is wrong. */
export function readCloudConfig(path: string): CloudConfig {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CloudError('ArgumentInvalid', `${path}: ${(error as Error).message}`);
  }
  const checked = check(Schema, document);
  if (checked.ok) return checked.value as CloudConfig;
  throw new CloudError('ArgumentInvalid', `${path}: ${describeProblems(checked.problems)}`);
}
