import { createHmac, timingSafeEqual } from 'node:crypto';

/** Fields of `SharedAccessSignature sr=...&sig=...&se=...[&skn=...]`, decoded. */
export interface SasToken {
  resource: string;
  /** As it stands in the token: what was signed is the encoded text. */
  encodedResource: string;
  signature: string;
  /** Seconds since 1970 UTC. */
  expirySecs: number;
  policy?: string;
}

export type SasVerdict = { ok: true; expirySecs: number } | { ok: false; reason: string };

/** Undefined when the text is no SAS token. */
export function parseSas(text: string): SasToken | undefined {
  const match = /^SharedAccessSignature\s+(.+)$/i.exec(text.trim());
  if (match === null) return undefined;
  const fields = new Map<string, string>();
  for (const part of match[1]!.split('&')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at), part.slice(at + 1));
  }
  const sr = fields.get('sr');
  const sig = fields.get('sig');
  const se = fields.get('se');
  if (sr === undefined || sig === undefined || se === undefined || !/^\d+$/.test(se))
    return undefined;
  try {
    const token: SasToken = {
      resource: decodeURIComponent(sr),
      encodedResource: sr,
      signature: decodeURIComponent(sig),
      expirySecs: Number(se),
    };
    const skn = fields.get('skn');
    if (skn !== undefined && skn !== '') token.policy = decodeURIComponent(skn);
    return token;
  } catch {
    return undefined;
  }
}

/** Base64 HMAC-SHA256 of `data` with a base64 key. */
export function sign(key: string, data: string | Buffer): string {
  return createHmac('sha256', Buffer.from(key, 'base64')).update(data).digest('base64');
}

/**
 * Checks a token against the key of the one it claims to be from. `resources` are the accepted values of `sr`,
 * compared without regard to case, as hosts are.
 */
export function verifySas(
  text: string,
  expected: { resources: readonly string[]; key: string; nowSecs: number },
): SasVerdict {
  const token = parseSas(text);
  if (token === undefined) return { ok: false, reason: 'the password is not a SAS token' };
  const resource = token.resource.toLowerCase();
  if (!expected.resources.some((allowed) => allowed.toLowerCase() === resource)) {
    return { ok: false, reason: 'the token is for another resource' };
  }
  if (token.expirySecs <= expected.nowSecs) return { ok: false, reason: 'the token has expired' };
  const right = Buffer.from(sign(expected.key, `${token.encodedResource}\n${token.expirySecs}`));
  const given = Buffer.from(token.signature);
  if (right.length !== given.length || !timingSafeEqual(right, given)) {
    return { ok: false, reason: 'the signature is wrong' };
  }
  return { ok: true, expirySecs: token.expirySecs };
}

/** Makes a token for a resource. */
export function createSas(
  resource: string,
  key: string,
  expirySecs: number,
  policy?: string,
): string {
  const sr = encodeURIComponent(resource);
  const sig = encodeURIComponent(sign(key, `${sr}\n${expirySecs}`));
  const skn = policy === undefined ? '' : `&skn=${encodeURIComponent(policy)}`;
  return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${expirySecs}${skn}`;
}
