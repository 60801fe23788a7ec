import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Log } from '@holdfast/module-host';
import { settings as schema } from '../config.ts';
import { Engine, type EngineOptions, type EngineSettings } from '../engine/engine.ts';

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/adapters/onnx-worker.ts'));
const quiet: Log = { error() {}, warn() {}, info() {}, debug() {} };

/** An engine with the real worker and default settings, but for what is given; close it. */
export const anEngine = (
  given: Partial<Omit<EngineOptions, 'settings'>> & { settings?: Partial<EngineSettings> } = {},
): Engine =>
  new Engine({
    workerUrl: WORKER,
    log: quiet,
    ...given,
    settings: { ...schema.parse({}), ...given.settings },
  });
