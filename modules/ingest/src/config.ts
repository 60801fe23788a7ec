import { Name, SIGNALS_MAX } from '@holdfast/contracts';
import { TOKEN_LENGTH_MIN } from '@holdfast/module-host';
import { z } from 'zod';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const MIB = 1024 * 1024;

/** Variables of ingest, besides those that every module has. Fixed for the life of the process. */
export const environment = z.object({
  IOTEDGE_MODULEID: z
    .string()
    .min(1)
    .default('ingest')
    .describe('Module id, set by the edge agent; the streams are named after it'),
  HOLDFAST_PARTITIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Streams that the assets are spread over; fixed when the journal is created'),
  HOLDFAST_HTTP_AUTH: z
    .enum(['token', 'none'])
    .default('token')
    .describe('none: no bearer token is asked for; only possible on a loopback address'),
  HOLDFAST_HTTP_TOKEN: z
    .string()
    .min(TOKEN_LENGTH_MIN)
    .max(1024)
    .optional()
    .describe('Bearer token of the HTTP API; or HOLDFAST_HTTP_TOKEN_FILE, a file that holds it'),
  HOLDFAST_INPUT_DIR: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder whose *.csv, *.ndjson and *.json files are read; no folder source without it',
    ),
});

const listedSignal = z
  .strictObject({ name: Name, min: z.number().optional(), max: z.number().optional() })
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    error: 'must have min at or below max',
  });

const listedAsset = z.strictObject({
  asset: Name,
  signals: z.array(listedSignal).min(1).max(SIGNALS_MAX).optional(),
});

/** Twin settings of ingest. All can change while it runs. */
export const settings = z.object({
  credit: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Batches of one stream that may be without receipt'),
  lingerMs: z
    .int()
    .min(0)
    .max(20)
    .default(5)
    .describe(
      'How long a small batch waits for more rows while others are under way, in ms; longer by itself where the way is busy or rows come fast',
    ),
  capBytes: z
    .int()
    .min(MIB)
    .max(1024 * 1024 * MIB)
    .default(2048 * MIB)
    .describe(
      'Bytes of readings without receipt from which on sources are told to wait; also what the journal may take on disk with log and reserve, where less than 16 MiB counts as 16 MiB',
    ),
  freeBytesMin: z
    .int()
    .min(0)
    .optional()
    .describe(
      'Bytes that stay free on the volume for other software: below it sources are told to wait. None: a tenth of the volume, at most 512 MiB',
    ),
  memoryBytesMax: z
    .int()
    .min(MIB)
    .max(1024 * MIB)
    .default(24 * MIB)
    .describe('Bytes of request bodies held at once; beyond it HTTP answers 429'),
  bodyBytesMax: z
    .int()
    .min(1024)
    .max(64 * MIB)
    .default(8 * MIB)
    .describe('Largest HTTP body and .json file in bytes, also after inflating'),
  futureMsMax: z
    .int()
    .min(0)
    .max(365 * DAY_MS)
    .default(31 * DAY_MS)
    .describe(
      'How far ahead of this clock the time of a reading may be, in ms; by default far enough for a clock that is behind. Not checked while the clock is not set, that is before this version was made',
    ),
  pastMsMax: z
    .int()
    .min(1000)
    .max(26 * 365 * DAY_MS)
    .default(10 * 365 * DAY_MS)
    .describe('How old a reading may be, in ms; never before the year 2000'),
  assetMode: z
    .enum(['any', 'listed'])
    .default('any')
    .describe('listed: only the assets in `assets` are welcome'),
  assets: z
    .array(listedAsset)
    .max(500)
    .refine((assets) => new Set(assets.map(({ asset }) => asset)).size === assets.length, {
      error: 'must name each asset once',
    })
    .default([])
    .describe(
      'Known assets, each with its signals and their lowest and highest values: [{asset, signals: [{name, min, max}]}]; without signals all are welcome',
    ),
  folderPollMs: z
    .int()
    .min(100)
    .max(10 * MINUTE_MS)
    .default(1000)
    .describe('How often the input folder is looked at, in ms'),
});

export type IngestEnvironment = z.output<typeof environment>;
export type IngestSettings = z.output<typeof settings>;

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Why the HTTP API must not start like this; undefined when it may. */
export function authProblem(env: {
  HOLDFAST_HTTP_AUTH: 'token' | 'none';
  HOLDFAST_HTTP_TOKEN?: string | undefined;
  HOLDFAST_HTTP_HOST: string;
}): string | undefined {
  if (env.HOLDFAST_HTTP_AUTH === 'none') {
    return LOOPBACK.has(env.HOLDFAST_HTTP_HOST)
      ? undefined
      : `HOLDFAST_HTTP_AUTH: none is not allowed with HOLDFAST_HTTP_HOST ${env.HOLDFAST_HTTP_HOST}, must be token, or the host 127.0.0.1`;
  }
  return env.HOLDFAST_HTTP_TOKEN === undefined
    ? 'HOLDFAST_HTTP_TOKEN: is missing, must be a bearer token (or HOLDFAST_HTTP_TOKEN_FILE its file); for a try-out on loopback set HOLDFAST_HTTP_AUTH=none'
    : undefined;
}
