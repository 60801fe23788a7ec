/** `node scripts/schemas.ts [--check]`: writes the JSON Schema of messages, records and bundles to docs/schemas. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jsonSchemas } from '@holdfast/contracts';
import { ROOT } from './steps.ts';

const folder = path.join(ROOT, 'docs', 'schemas');
const onlyCheck = process.argv.includes('--check');
const stale: string[] = [];
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  const file = path.join(folder, `${name}.schema.json`);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (!onlyCheck) writeFileSync(file, text);
  else if (textOf(file) !== text) stale.push(path.relative(ROOT, file));
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
