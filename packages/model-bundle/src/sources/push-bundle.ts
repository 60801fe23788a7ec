import { Attempts } from './attempts.ts';
import { SourceError } from './errors.ts';
import { HttpClient } from './http-client.ts';
import { OciPush } from './oci-push.ts';
import { FETCH_LIMITS, type ReachOptions } from './port.ts';
import { planOf } from './push-plan.ts';
import { pushToFolder } from './push-to-folder.ts';
import { pushToWeb } from './push-to-web.ts';
import { parseRef, showRef } from './ref.ts';

export interface PushOptions extends ReachOptions {
  onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined;
}

export interface PushedBundle {
  /** What a twin may name: the bundle where it is now; an OCI ref is pinned by the digest of its manifest. */
  ref: string;
  /** SHA-256 of `model.json`: the digest of the bundle. */
  digest: string;
  /** SHA-256 of the OCI manifest; only for OCI. */
  manifestDigest: string | undefined;
}

/**
 * Brings the bundle in a folder to where the ref says: a folder (a stick) gets it as a folder in it, a URL gets its
 * files below it by PUT (Azure Blob Storage among others), an OCI registry gets an artifact under the tag. Digests are
 * checked before; what is there already is not sent again, and `model.json` or the tag goes last.
 * @throws SourceError
 */
export async function pushBundle(
  folder: string,
  ref: string,
  options: PushOptions = {},
): Promise<PushedBundle> {
  const target = parseRef(ref);
  const plan = await planOf(folder);
  const { digest } = plan;
  if (target.kind === 'folder') {
    return { ref: await pushToFolder(plan, target.path), digest, manifestDigest: undefined };
  }
  const limits = { ...FETCH_LIMITS, ...options.limits };
  const attempts = new Attempts(options, limits);
  const http = new HttpClient(options, limits, attempts.signal);
  const { credentials = {} } = options;
  const access = { http, credentials, limits, signal: attempts.signal };
  const total = plan.files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    options.onProgress?.(Math.min(done, total), total);
  };
  try {
    if (target.kind === 'https') {
      await pushToWeb(plan, target.base, { access, attempts, onBytes });
      return { ref: showRef(target.base), digest, manifestDigest: undefined };
    }
    const { tag, origin, repository } = target;
    if (tag === undefined || target.manifestDigest !== undefined) {
      throw new SourceError('SOURCE_REF', `ref: "${showRef(ref)}" must have a tag and no digest`);
    }
    const manifestDigest = await new OciPush(target, access, { attempts, onBytes }).run(plan, tag);
    const scheme = origin.protocol === 'https:' ? 'oci' : 'oci+http';
    const pinned = `${scheme}://${origin.host}/${repository}:${tag}@${manifestDigest}`;
    return { ref: pinned, digest, manifestDigest };
  } finally {
    http.close();
  }
}
