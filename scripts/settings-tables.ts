/** `node scripts/settings-tables.ts [--check]`: writes the settings table of each module into its README. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { settingsTable } from '@holdfast/module-host';
import { ROOT } from './steps.ts';

const BEGIN = '<!-- settings -->';
const END = '<!-- /settings -->';

/** Default port of each module's HTTP server. */
const PORTS = { ingest: 8080, inference: 8081, forwarder: 8082 };

const onlyCheck = process.argv.includes('--check');
for (const [module, httpPort] of Object.entries(PORTS)) {
  const { environment, settings } = await import(`../modules/${module}/src/config.ts`);
  const file = path.join(ROOT, 'modules', module, 'README.md');
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) {
    console.error(`modules/${module}/README.md has no ${BEGIN} ... ${END}`);
    process.exitCode = 1;
    continue;
  }
  const table = settingsTable({ environment, settings, httpPort });
  const wanted = `${text.slice(0, from)}${BEGIN}\n\n${table.trim()}\n\n${text.slice(to)}`;
  if (wanted === text) continue;
  if (onlyCheck) {
    console.error(
      `modules/${module}/README.md: the settings are not those of config.ts; write them anew with node scripts/settings-tables.ts`,
    );
    process.exitCode = 1;
  } else {
    writeFileSync(file, wanted);
  }
}
