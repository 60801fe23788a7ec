import { FolderSource } from './folder-source.ts';
import { HttpsSource, type WebAccess } from './https-source.ts';
import { OciSource } from './oci-source.ts';
import type { BundleRef } from './ref.ts';
import type { BundleSource } from './source.ts';

/** The source that a ref names. @param digest of the bundle, for a folder with many */
export function openSource(
  ref: BundleRef,
  digest: string | undefined,
  access: WebAccess,
): BundleSource {
  switch (ref.kind) {
    case 'folder':
      return new FolderSource(ref.path, digest);
    case 'https':
      return new HttpsSource(ref.base, access);
    case 'oci':
      return new OciSource(ref, access);
  }
}
