/**
 * `node scripts/schemas.ts [--check]`: writes the JSON Schema of messages, records and bundles to docs/schemas, and the
 * OpenAPI document of the HTTP API of models to docs/api.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jsonSchemas } from '@holdfast/contracts';
import { openApi } from '../modules/inference/src/oip/openapi.ts';
import { VERSION } from '../modules/inference/src/version.ts';
import { ROOT } from './steps.ts';

const documents: Record<string, unknown> = {
  'docs/api/inference.openapi.json': openApi(VERSION),
};
for (const [name, schema] of Object.entries(jsonSchemas())) {
  documents[`docs/schemas/${name}.schema.json`] = schema;
}
const onlyCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const [name, document] of Object.entries(documents)) {
  const file = path.join(ROOT, name);
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (onlyCheck) {
    if (textOf(file) !== text) stale.push(name);
    continue;
  }
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
if (stale.length > 0) {
  console.error(
    `not what the schemas say: ${stale.join(', ')}; write them anew with node scripts/schemas.ts`,
  );
  process.exitCode = 1;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
