import path from 'node:path';

/**
 * The model that all peers run: eight values of one reading in, one score out (float32 `[batch, 1, 8]` to `[batch]`),
 * written by `test/inference/fixtures/make_models.py`. A window of one row, since none of the peers keeps windows.
 */
export const MODEL = path.resolve(import.meta.dirname, '../../inference/fixtures/autoencoder.onnx');
