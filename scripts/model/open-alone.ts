import { settings } from '../../modules/inference/src/config.ts';
import { Engine } from '../../modules/inference/src/engine/engine.ts';
import type { EngineModel } from '../../modules/inference/src/engine/engine-model.ts';

const WORKER = new URL('../../modules/inference/src/adapters/onnx-worker.ts', import.meta.url);

/** A model in an engine of its own, as the module runs it; close it. @throws ScorerError with what the runtime says */
export function openAlone(modelPath: string): Promise<EngineModel> {
  const log = { error() {}, warn() {}, info() {}, debug() {} };
  const engine = new Engine({ workerUrl: WORKER, settings: settings.parse({}), log });
  return engine.open({ name: 'model', modelPath });
}
