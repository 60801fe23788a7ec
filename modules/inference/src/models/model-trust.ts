import { readPublicKeys, type TrustPolicy, trustIn } from '@holdfast/model-bundle';
import { z } from 'zod';

/** Public keys as PEM, checked: a key that cannot be used stops the start, it does not let models in or keep them out. */
export const modelKeys = z.string().superRefine((pem, context) => {
  try {
    readPublicKeys(pem);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

/**
 * Whom this site trusts. Variables and not twin settings: who may name the models in the twin must not thereby be able
 * to say that they need no signature (docs/decisions/0020).
 */
export const modelTrustOf = (env: {
  HOLDFAST_MODEL_KEYS?: string | undefined;
  HOLDFAST_MODEL_SIGNATURE?: TrustPolicy['signature'] | undefined;
}): TrustPolicy =>
  trustIn(
    env.HOLDFAST_MODEL_KEYS === undefined ? [] : readPublicKeys(env.HOLDFAST_MODEL_KEYS),
    env.HOLDFAST_MODEL_SIGNATURE,
  );
