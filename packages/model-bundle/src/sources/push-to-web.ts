import type { Attempts } from './attempts.ts';
import { SourceError } from './errors.ts';
import type { HttpRequest } from './http-client.ts';
import { errorOf } from './http-errors.ts';
import { place, type WebAccess } from './https-source.ts';
import { inMemory, type PushedFile, type PushPlan } from './push-plan.ts';

/** A larger blob goes up as blocks of this size, each tried again by itself. */
const BLOCK_BYTES = 16 * 1024 * 1024;

interface WebPush {
  access: WebAccess;
  attempts: Attempts;
  onBytes(bytes: number): void;
}

/** Puts the files of a bundle below a URL: Azure Blob Storage with a SAS, or any server that takes PUT. */
export async function pushToWeb(plan: PushPlan, base: URL, push: WebPush): Promise<void> {
  for (const file of plan.files) {
    const { url, authorization } = place(base, file.name, push.access);
    const put = (body: HttpRequest['body'], headers = {}, query = ''): Promise<void> =>
      push.attempts.run(async () => {
        const at = new URL(url);
        at.search += query;
        const { http } = push.access;
        const answer = await http.send({
          method: 'PUT',
          url: at,
          authorization,
          headers,
          ...(body && { body }),
        });
        if (![200, 201, 204].includes(answer.status)) throw await errorOf(answer);
        answer.body.resume();
      });
    if (file.bytes > BLOCK_BYTES && url.searchParams.has('sig')) {
      await putBlocks(file, put, push);
    } else {
      await put(file.body(0, file.bytes), { 'x-ms-blob-type': 'BlockBlob' });
      push.onBytes(file.bytes);
    }
  }
}

/** Blocks, then the list that makes them a blob (Azure Storage, Put Block and Put Block List). */
async function putBlocks(
  file: PushedFile,
  put: (body: HttpRequest['body'], headers: Record<string, string>, query: string) => Promise<void>,
  push: WebPush,
): Promise<void> {
  const ids: string[] = [];
  for (let start = 0; start < file.bytes; start += BLOCK_BYTES) {
    const end = Math.min(start + BLOCK_BYTES, file.bytes);
    // All identifiers of a blob must have the same length.
    const id = Buffer.from(String(ids.length).padStart(8, '0')).toString('base64');
    ids.push(id);
    await put(file.body(start, end), {}, `&comp=block&blockid=${encodeURIComponent(id)}`);
    push.attempts.progressed(end - start);
    push.onBytes(end - start);
  }
  if (ids.length > 50_000)
    throw new SourceError('SOURCE_TOO_LARGE', `${file.name} has too many blocks`);
  const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
  const body = inMemory('list', Buffer.from(list));
  await put(body.body(0, body.bytes), { 'content-type': 'application/xml' }, '&comp=blocklist');
}
