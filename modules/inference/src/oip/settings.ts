import { TOKEN_LENGTH_MIN } from '@holdfast/module-host';
import { z } from 'zod';

const MIB = 1024 * 1024;

/** Variables of the HTTP API. */
export const apiEnvironment = {
  HOLDFAST_HTTP_TOKEN: z
    .string()
    .min(TOKEN_LENGTH_MIN)
    .max(1024)
    .optional()
    .describe(
      'Bearer token of the HTTP API of models; without it the API asks for none. Or HOLDFAST_HTTP_TOKEN_FILE',
    ),
};

/** Twin settings of the HTTP API; all can change while it runs. */
export const apiSettings = {
  httpJsonBytesMax: z
    .int()
    .min(1024)
    .max(64 * MIB)
    .default(8 * MIB)
    .describe('Largest JSON of a request to the HTTP API, in bytes, also after inflating'),
  httpBodyBytesMax: z
    .int()
    .min(1024)
    .max(1024 * MIB)
    .default(64 * MIB)
    .describe('Largest request to the HTTP API with binary data, in bytes, also after inflating'),
  httpMemoryBytesMax: z
    .int()
    .min(MIB)
    .max(4096 * MIB)
    .default(64 * MIB)
    .describe(
      'Bytes of requests held at once; beyond it the HTTP API answers 429. One request alone is always taken',
    ),
  httpTimeoutMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(30_000)
    .describe(
      'How long a request to the HTTP API may wait for its run, in ms; then it is answered with 504',
    ),
  httpModelControl: z
    .boolean()
    .default(false)
    .describe('Whether models can be loaded and unloaded over HTTP without a token being set'),
};
const schema = z.object(apiSettings);
export type ApiSettings = z.output<typeof schema>;
