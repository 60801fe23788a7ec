import { z } from 'zod';
import { LOOKBACK_ROWS_MAX, NAME_LENGTH_MAX, TIME_MS_MAX, TIME_MS_MIN } from './limits.ts';

/**
 * A name that is safe in a URL, a blob path, a file name and a log line. Spaces inside are allowed because
 * signals of real plants have them ("Volume Flow RateRMS"); slashes, control characters and a leading or
 * trailing space or dot are not.
 */
export const Name = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .regex(/^[\p{L}\p{N}_](?:[\p{L}\p{N}_ .:()%\u00b0+-]*[\p{L}\p{N}_)%\u00b0+-])?$/u, {
    error:
      'must be letters, digits and _ . : ( ) % ° + - or single words with spaces between them, and not begin or end with a space or a dot',
  });

/** One partition of one ingest journal, `<ingest module id>-<partition>`, for example `ingest-0`. */
export const StreamName = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .regex(/^[A-Za-z0-9_-]+$/, { error: 'must be letters, digits, _ and -' });

/** Identity of one life of a journal: new whenever a journal is created anew. */
export const Epoch = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9-]+$/, { error: 'must be letters, digits and -' });

/** Position in a stream: contiguous from 1. */
export const SequenceNumber = z.int().min(1);

/** Time of a reading in whole milliseconds since 1970-01-01 UTC. */
export const TimeMs = z.int().min(TIME_MS_MIN).max(TIME_MS_MAX);

/** How many earlier rows of an asset go with a batch. */
export const LookbackRows = z.int().min(0).max(LOOKBACK_ROWS_MAX);

/** Version of all message shapes. A receiver refuses what it does not know rather than guess. */
export const MESSAGE_VERSION = 1;
