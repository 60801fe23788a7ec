import { ForwarderError } from '../errors.ts';

/** Where the store is and how to sign, taken from what the operator gave. */
export interface StorageAddress {
  /** Without the query string. */
  url: string;
  /** The container, when the address names one. */
  container?: string;
  key?: { account: string; secret: string };
  /** Query string without `?`. Secret. */
  sas?: string;
}

/** The account that every Azurite has; public knowledge, no secret. */
const DEVELOPMENT =
  'DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1';

/**
 * Understands a connection string (key or SAS; any endpoint suffix or BlobEndpoint) or a URL with a SAS of an account
 * or a container.
 * @throws ForwarderError FWD_TARGET_INVALID, never with the secret in it
 */
export function parseStorageAddress(text: string): StorageAddress {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed)) return fromUrl(trimmed);
  if (!trimmed.includes('=')) throw invalid('is neither a URL nor a connection string');
  return fromConnectionString(trimmed);
}

function fromUrl(text: string): StorageAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid('is not a URL');
  }
  const sas = url.search.slice(1);
  if (!new URLSearchParams(sas).has('sig')) {
    throw invalid(
      'is a URL without a SAS (no sig= in it); sign-in with Microsoft Entra is not supported',
    );
  }
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  // A service SAS names its resource: `sr=c` is a container, which is then the last part of the path.
  if (!/(?:^|&)sr=c(?:&|$)/.test(sas)) return { url: base, sas };
  const container = decodeURIComponent(base.slice(base.lastIndexOf('/') + 1));
  return { url: base.slice(0, base.lastIndexOf('/')), container, sas };
}

function fromConnectionString(text: string): StorageAddress {
  const parts = new Map<string, string>();
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) parts.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim());
  }
  if (parts.get('usedevelopmentstorage') === 'true') return fromConnectionString(DEVELOPMENT);
  const account = parts.get('accountname');
  const secret = parts.get('accountkey');
  const sas = parts.get('sharedaccesssignature')?.replace(/^\?/, '');
  const suffix = parts.get('endpointsuffix') ?? 'core.windows.net';
  const protocol = parts.get('defaultendpointsprotocol') ?? 'https';
  const url =
    parts.get('blobendpoint')?.replace(/\/+$/, '') ??
    (account === undefined ? undefined : `${protocol}://${account}.blob.${suffix}`);
  if (url === undefined) throw invalid('has neither AccountName nor BlobEndpoint');
  if (!URL.canParse(url)) throw invalid('has an endpoint that is not a URL');
  if (sas !== undefined) return { url, sas };
  if (account === undefined || secret === undefined) {
    throw invalid('has neither AccountName with AccountKey nor SharedAccessSignature');
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw invalid('has an AccountKey that is not Base64');
  return { url, key: { account, secret } };
}

const invalid = (what: string): ForwarderError =>
  new ForwarderError(
    'FWD_TARGET_INVALID',
    `HOLDFAST_STORAGE_CONNECTION_STRING ${what}`,
    'give a connection string from the portal, or the URL of a container with its SAS',
  );
