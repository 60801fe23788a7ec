import { createHash } from 'node:crypto';
import type { BlockBlobClient, RestError } from '@azure/storage-blob';

/** Sends one request with so many bytes of body under a time limit. */
export type Ask = <T>(bytes: number, request: (signal: AbortSignal) => Promise<T>) => Promise<T>;

/**
 * Brings a body to the store in blocks, each small enough for the link, and leaves out those that an earlier try has
 * brought: on a link that never holds for a whole blob this is what makes it arrive at all. A block is known by its
 * place and the hash of its bytes, so one of other bytes never gets into the blob.
 * @returns ids to commit, in order; undefined when a finished blob of this name is there
 */
export async function stageBlocks(
  blob: BlockBlobClient,
  body: Uint8Array,
  { ask, pieceBytes, progressed }: { ask: Ask; pieceBytes(): number; progressed(): void },
): Promise<string[] | undefined> {
  const before = await stagedBefore(blob, ask);
  if (before === undefined) return undefined;
  const ids: string[] = [];
  for (let at = 0; at < body.length; ) {
    let length = before.find((block) => block.id === blockId(body, at, block.bytes))?.bytes;
    if (length === undefined) {
      length = Math.min(pieceBytes(), body.length - at);
      const piece = body.subarray(at, at + length);
      const id = blockId(body, at, length);
      await ask(length, (abortSignal) => blob.stageBlock(id, piece, length!, { abortSignal }));
      progressed();
    }
    ids.push(blockId(body, at, length));
    at += length;
  }
  return ids;
}

async function stagedBefore(
  blob: BlockBlobClient,
  ask: Ask,
): Promise<{ id: string; bytes: number }[] | undefined> {
  try {
    const found = await ask(0, (abortSignal) => blob.getBlockList('uncommitted', { abortSignal }));
    // Only a finished blob has a length.
    if ((found.blobContentLength ?? 0) > 0) return undefined;
    return (found.uncommittedBlocks ?? []).map(({ name, size }) => ({ id: name, bytes: size }));
  } catch (error) {
    const { statusCode, code } = error as RestError;
    // Nothing is there yet, or the SAS may not look: then everything is brought again.
    if ((statusCode === 404 && code !== 'ContainerNotFound') || statusCode === 403) return [];
    throw error;
  }
}

/** Always of the same length, as the store demands. */
function blockId(body: Uint8Array, at: number, length: number): string {
  const hash = createHash('sha256')
    .update(body.subarray(at, at + length))
    .digest('hex');
  return Buffer.from(`${hex(at)}-${hex(length)}-${hash.slice(0, 24)}`).toString('base64');
}

const hex = (n: number): string => n.toString(16).padStart(8, '0');
