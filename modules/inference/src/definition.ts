import { existsSync } from 'node:fs';
import type { ModuleDefinition } from '@holdfast/module-host';
import { environment, settings } from './config.ts';
import { startInference } from './start-inference.ts';
import { VERSION } from './version.ts';

/** A worker's file: a source when run from here, a bundle of its own beside the main program in an image. */
function workerUrl(folder: string, name: string): URL {
  const bundled = new URL(`./${name}.js`, import.meta.url);
  return existsSync(bundled) ? bundled : new URL(`./${folder}/${name}.ts`, import.meta.url);
}

/** The module as the host runs it. */
export const inference: ModuleDefinition<typeof environment, typeof settings> = {
  name: 'inference',
  version: VERSION,
  httpPort: 8081,
  environment,
  settings,
  start: (host) =>
    startInference(host, workerUrl('adapters', 'onnx-worker'), {
      version: VERSION,
      requestWorker: workerUrl('oip', 'request-worker'),
    }),
};
