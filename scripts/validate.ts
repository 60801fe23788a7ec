/** Checks that both templates, the modules' folders and .env.template agree. */
import path from 'node:path';
import { processTerminal, runCommand } from '@holdfast/edge';
import { ROOT } from './steps.ts';

const given = process.argv.slice(2);
const templates = ['deployment.template.json', 'deployment.debug.template.json'];
const lines =
  given.length > 0 ? [given] : templates.map((file) => ['--template', path.join(ROOT, file)]);
for (const line of lines) {
  const code = await runCommand(['validate', ...line], processTerminal());
  process.exitCode = Math.max(Number(process.exitCode ?? 0), code);
}
