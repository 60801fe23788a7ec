import type { Attempts } from './attempts.ts';
import { SourceError } from './errors.ts';
import { PartialFile, type PartialPlaces } from './partial-file.ts';
import type { FetchLimits } from './port.ts';
import { readBody } from './read-body.ts';
import type { BundleSource, SourceFile } from './source.ts';

export interface FileContext {
  source: BundleSource;
  attempts: Attempts;
  limits: FetchLimits;
  /** Is told the size of a file before its first byte is taken; throws when it must not be fetched. */
  admit(file: SourceFile, size: { bytes: number; bytesHere: number }): Promise<void>;
  /** Bytes that came; `atBytes` is how far the file has come with them. */
  onBytes(count: number, atBytes: number): void;
}

/**
 * Fetches one file to where it is whole and verified, from the first byte that is not on disk. A source whose file has
 * changed, or that cannot give a part, starts at the beginning. A digest that is wrong after a resumed transfer may be
 * two states of the file in one, so it is fetched once more from the beginning before it is refused.
 * @throws SourceError
 */
export async function fetchFile(
  file: SourceFile,
  places: PartialPlaces,
  context: FileContext,
): Promise<void> {
  const partial = await PartialFile.open(places);
  try {
    // Bytes of an earlier call, or of a connection before, may be of another state of the file.
    let mixed = partial.bytes > 0;
    for (;;) {
      mixed = (await transfer(file, partial, context)) || mixed;
      if (await partial.finish(file.digest)) return;
      if (!mixed) throw wrongDigest(file);
      await partial.restart(undefined);
      mixed = false;
    }
  } finally {
    await partial.close();
  }
}

/** Brings the file to its end, over as many connections as it takes. True when there was more than one. */
async function transfer(
  file: SourceFile,
  partial: PartialFile,
  context: FileContext,
): Promise<boolean> {
  const { source, attempts, limits } = context;
  let connections = 0;
  await attempts.run(async () => {
    const { bytes, validator } = partial;
    const opened = await source.open(file, { bytes, validator });
    try {
      if (opened.startBytes !== 0 && opened.startBytes !== bytes) {
        throw new SourceError('SOURCE_PROTOCOL', `${file.name}: another part than asked for came`);
      }
      if (opened.startBytes === 0) {
        connections = 0;
        await partial.restart(opened.validator);
      }
      connections += 1;
      if (opened.sizeBytes !== undefined) {
        await context.admit(file, { bytes: opened.sizeBytes, bytesHere: partial.bytes });
      }
      const take = async (piece: Buffer): Promise<void> => {
        const size = partial.bytes + piece.length;
        if (size > (opened.sizeBytes ?? limits.bundleBytesMax))
          throw tooLong(file, opened.sizeBytes);
        await partial.append(piece);
        attempts.progressed(piece.length);
        context.onBytes(piece.length, size);
      };
      await readBody(opened.body, take, { ...limits, signal: attempts.signal });
    } finally {
      opened.body.on('error', () => undefined).destroy();
    }
    if (opened.sizeBytes !== undefined && partial.bytes < opened.sizeBytes) {
      const text = `${file.name}: ended after ${partial.bytes} of ${opened.sizeBytes} bytes`;
      throw new SourceError('SOURCE_UNREACHABLE', text);
    }
  });
  return connections > 1;
}

const wrongDigest = (file: SourceFile): SourceError =>
  new SourceError('SOURCE_DIGEST', `${file.name} is not what the manifest names, ${file.digest}`);

const tooLong = (file: SourceFile, sizeBytes: number | undefined): SourceError =>
  sizeBytes === undefined
    ? new SourceError('SOURCE_TOO_LARGE', `${file.name} has more bytes than a bundle may have`)
    : new SourceError('SOURCE_PROTOCOL', `${file.name} goes on after its ${sizeBytes} bytes`);
