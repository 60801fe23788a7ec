import { INSIGHT_KINDS } from '@holdfast/contracts';
import { z } from 'zod';

const MEBIBYTE = 1024 * 1024;

/** Read once at start. */
export const environment = z.object({
  HOLDFAST_STORAGE_CONNECTION_STRING: z
    .string()
    .optional()
    .describe(
      'Where insights go: a storage connection string with key or SAS, or the URL of a container or account with its SAS. Secret. Without it nothing is uploaded and everything else works. An own CA goes into NODE_EXTRA_CA_CERTS.',
    ),
});
export type Environment = z.output<typeof environment>;

const Egress = z.strictObject({
  allow: z
    .array(z.enum(INSIGHT_KINDS))
    .max(INSIGHT_KINDS.length)
    .default([])
    .describe('Kinds of records that may leave the site; all others are counted and stay.'),
});

const AnomalyRules = z.strictObject({
  openAfterAlarms: z
    .int()
    .min(1)
    .max(10_000)
    .default(3)
    .describe('Rows at alarm level that open an anomaly.'),
  openAfterWarnings: z
    .int()
    .min(1)
    .max(10_000)
    .default(15)
    .describe('Rows at warning level or above that open an anomaly too.'),
  openWithinSecs: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe('Reading time within which these rows must come.'),
  closeAfter: z
    .int()
    .min(1)
    .max(10_000)
    .default(10)
    .describe('Normal rows in succession that close an anomaly.'),
  gapSecs: z
    .int()
    .min(1)
    .max(86_400)
    .default(120)
    .describe('Hole in reading time that closes an anomaly.'),
});

const Upload = z.strictObject({
  container: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){2,62}$/, {
      error: 'must be 3 to 63 lower-case letters, digits and single hyphens',
    })
    .default('insights')
    .describe('Container for the blobs; ignored when the storage URL names one.'),
  createContainer: z.boolean().default(true).describe('Create the container when it is missing.'),
  intervalSecs: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe(
      'How often lanes normal and bulk are uploaded; critical and audit go within a second.',
    ),
  recordsMax: z.int().min(1).max(50_000).default(5_000).describe('Records in one blob.'),
  bytesMax: z
    .int()
    .min(16 * 1024)
    .max(16 * MEBIBYTE)
    .default(MEBIBYTE)
    .describe('Bytes of records, as JSON, in one blob.'),
  timeoutSecs: z
    .int()
    .min(1)
    .max(3_600)
    .default(60)
    .describe('Longest time for one request, also on a link that turns out to be slow.'),
  apiVersion: z
    .string()
    .regex(/^(?:\d{4}-\d{2}-\d{2})?$/, { error: 'must be a date such as 2019-07-07, or empty' })
    .default('')
    .describe('x-ms-version to speak; empty is the newest. Azure Stack Hub: 2019-07-07.'),
});

/** Twin settings; `{}` is a complete document. */
export const settings = z.strictObject({
  egress: Egress.prefault({}),
  anomaly: AnomalyRules.prefault({}),
  rollup: z
    .strictObject({
      idleSecs: z
        .int()
        .min(1)
        .max(86_400)
        .default(120)
        .describe('A minute is closed when its asset has sent nothing for so long.'),
    })
    .prefault({}),
  outbox: z
    .strictObject({
      bytesMax: z
        .int()
        .min(64 * 1024)
        .default(1024 * MEBIBYTE)
        .describe(
          'Bytes that records waiting for upload may have, and that the whole store may take on disk with log and reserve (there less than 16 MiB counts as 16 MiB). Beyond it go: what is kept at the site to be looked at, then the oldest of bulk, then of normal, which leave a gap record. When critical and audit fill it, no more is applied.',
        ),
      freeBytesMin: z
        .int()
        .min(0)
        .optional()
        .describe(
          'Bytes that stay free on the volume for other software: below it the store grows no more. None: a tenth of the volume, at most 512 MiB.',
        ),
    })
    .prefault({}),
  insights: z
    .strictObject({
      scoreBytesMax: z
        .int()
        .min(64 * 1024)
        .default(256 * MEBIBYTE)
        .describe('Bytes of packed scores kept for GET /v1/scores, newest first.'),
      rollupsMax: z.int().min(100).default(500_000).describe('Rollups kept at the site.'),
      anomaliesMax: z.int().min(100).default(100_000).describe('Anomalies kept at the site.'),
    })
    .prefault({}),
  upload: Upload.prefault({}),
  parkedMax: z
    .int()
    .min(0)
    .max(64)
    .default(4)
    .describe('Batches of one stream kept in memory that came before their turn. Read at start.'),
});
export type Settings = z.output<typeof settings>;
