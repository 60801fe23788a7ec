import type { ModuleHost } from '@holdfast/module-host';
import type { Environment, Settings } from '../config.ts';
import type { Catalog } from '../domain/catalog.ts';
import { windowScorer } from '../domain/window-scorer.ts';
import type { ImageDecoder } from '../images/image-decoder.ts';
import { InferenceApi } from './api.ts';
import type { ScoreImage } from './score.ts';

/** Puts the HTTP API of the models onto the module's server. */
export async function startApi(
  host: ModuleHost<Environment, Settings>,
  { catalog, ...parts }: { catalog: Catalog; version: string; workerUrl: URL },
): Promise<InferenceApi> {
  const { env, http, clock, log, metrics, settings } = host;
  const api = new InferenceApi(
    {
      ...{ ...parts, catalog, http, clock, log, metrics, scoreImage: imageScoring() },
      token: env.HOLDFAST_HTTP_TOKEN,
      scorerOf: ({ runner, manifest }) => windowScorer(runner, manifest, 'http'),
    },
    settings,
  );
  await api.register();
  return api;
}

/** One decoder for all, loaded with the first picture: its native library takes memory that few sites need. */
function imageScoring(): ScoreImage {
  let decoder: ImageDecoder | undefined;
  return async (entry, image, options) => {
    const { ImageDecoder } = await import('../images/image-decoder.ts');
    const { scoreImage } = await import('../images/score-image.ts');
    decoder ??= new ImageDecoder();
    return { ...(await scoreImage(entry, image, decoder, options)) };
  };
}
