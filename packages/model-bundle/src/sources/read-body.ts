import type { Readable } from 'node:stream';
import { SourceError } from './errors.ts';
import type { FetchLimits } from './port.ts';

/** Bytes that may wait to be written before the other side is told to wait. */
const WAITING_BYTES_MAX = 1024 * 1024;

/**
 * Takes a stream apart, one piece after the other. All that arrived before a stream breaks off is given to `take`
 * before the error is thrown: an iterator would drop what waits in its buffer, and it would be fetched twice.
 * @throws SourceError SOURCE_UNREACHABLE when it breaks off or only trickles; and what `take` throws
 */
export async function readBody(
  body: Readable,
  take: (bytes: Buffer) => Promise<void>,
  options: Pick<FetchLimits, 'stallMs' | 'stallBytes'> & { signal: AbortSignal },
): Promise<void> {
  const queue: Buffer[] = [];
  let waiting = 0;
  let came = 0;
  let end: { error?: unknown } | undefined;
  let wake = (): void => {};
  const finish = (error?: unknown): void => {
    end ??= { error };
    wake();
  };
  body.on('data', (bytes: Buffer) => {
    queue.push(bytes);
    waiting += bytes.length;
    came += bytes.length;
    if (waiting > WAITING_BYTES_MAX) body.pause();
    wake();
  });
  body.once('end', () => finish());
  body.once('error', (error) => finish(error));
  body.once('close', () => finish(new Error('it ended early')));
  if (body.destroyed) finish(body.errored ?? new Error('it ended early'));
  const stop = (): void => finish(new Error('it was called off'));
  options.signal.addEventListener('abort', stop, { once: true });
  const watch = setInterval(() => {
    if (came < options.stallBytes && !body.isPaused() && waiting === 0) {
      finish(new Error(`less than ${options.stallBytes} bytes came in ${options.stallMs} ms`));
    }
    came = 0;
  }, options.stallMs);
  try {
    for (;;) {
      const bytes = queue.shift();
      if (bytes !== undefined) {
        await take(bytes);
        waiting -= bytes.length;
        if (body.isPaused() && waiting < WAITING_BYTES_MAX / 2) body.resume();
      } else if (end !== undefined) {
        if (end.error === undefined) return;
        const text = `the transfer broke off: ${(end.error as Error).message}`;
        throw new SourceError('SOURCE_UNREACHABLE', text, { cause: end.error });
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    clearInterval(watch);
    options.signal.removeEventListener('abort', stop);
    body.on('error', () => undefined).destroy();
  }
}

/** Reads a small stream whole. @throws SourceError SOURCE_TOO_LARGE beyond `bytesMax` */
export async function readSmall(
  body: Readable,
  what: string,
  options: Parameters<typeof readBody>[2] & { bytesMax: number },
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  const take = async (bytes: Buffer): Promise<void> => {
    size += bytes.length;
    if (size > options.bytesMax) {
      const text = `${what} has more than the ${options.bytesMax} bytes that are allowed`;
      throw new SourceError('SOURCE_TOO_LARGE', text, { retry: 'later' });
    }
    pieces.push(bytes);
  };
  await readBody(body, take, options);
  return Buffer.concat(pieces);
}
