import { fetchBundle, parseCredentials } from '@holdfast/model-bundle';
import { z } from 'zod';
import type { Preparing } from './prepare-model.ts';

/** Credentials as JSON, checked at the start; never shown. */
export const modelCredentials = z.string().transform((text, context) => {
  try {
    return parseCredentials(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

/** How bundles are fetched here: with the site's credentials and certificates. `allowHttp` is asked at each fetch. */
export const fetchingWith =
  (
    env: {
      HOLDFAST_MODEL_CREDENTIALS?: z.output<typeof modelCredentials> | undefined;
      HOLDFAST_MODEL_CA?: string | undefined;
    },
    allowHttp: () => readonly string[],
  ): Preparing['fetch'] =>
  (ref, digest, options) =>
    fetchBundle(ref, digest, {
      credentials: env.HOLDFAST_MODEL_CREDENTIALS,
      ca: env.HOLDFAST_MODEL_CA,
      allowHttp: allowHttp(),
      ...options,
    });
