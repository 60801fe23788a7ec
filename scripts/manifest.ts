/** Makes config/deployment.<platform>.json from the template; the same as `npm run edge -- manifest`. */
import { processTerminal, runCommand } from '@holdfast/edge';

process.exitCode = await runCommand(['manifest', ...process.argv.slice(2)], processTerminal());
