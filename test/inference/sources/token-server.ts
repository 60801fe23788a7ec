import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { type FileServer, serveFiles } from './file-server.ts';

export interface TokenServer {
  server: FileServer;
  realm: string;
  /** Scopes of the tokens that were given out. */
  scopes: string[];
  /** Life of the next tokens in s. */
  lifeS: number;
}

/** A token server for docker-registry: user `site`, password `geheim`; others may only pull `open/...`. */
export async function startTokenServer(key: {
  privateKeyPem: string;
  certificatePem: string;
}): Promise<TokenServer> {
  const server = await serveFiles();
  const tokens: TokenServer = { server, realm: `${server.origin}/token`, scopes: [], lifeS: 300 };
  const basic = `Basic ${Buffer.from('site:geheim').toString('base64')}`;
  server.misbehave = (request, response) => {
    const { authorization } = request.headers;
    const url = new URL(request.url ?? '', server.origin);
    const scope = url.searchParams.get('scope') ?? '';
    const [, name = '', actions = ''] = /^repository:([^:]+):(.+)$/.exec(scope) ?? [];
    if (authorization !== undefined && authorization !== basic) {
      response.writeHead(401).end();
      return true;
    }
    tokens.scopes.push(scope);
    const open = name.startsWith('open/') ? ['pull'] : [];
    const granted = authorization === undefined ? open : actions.split(',');
    const access = [{ type: 'repository', name, actions: granted }];
    const token = tokenOf(key, access, tokens.lifeS);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token, expires_in: tokens.lifeS }));
    return true;
  };
  return tokens;
}

function tokenOf(
  key: { privateKeyPem: string; certificatePem: string },
  access: unknown,
  lifeS: number,
): string {
  const now = Math.floor(Date.now() / 1_000);
  const x5c = [new X509Certificate(key.certificatePem).raw.toString('base64')];
  const encoded = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encoded({ typ: 'JWT', alg: 'ES256', x5c });
  const claims = encoded({
    iss: 'holdfast',
    sub: 'site',
    aud: 'models',
    nbf: now - 60,
    iat: now,
    exp: now + lifeS,
    jti: randomUUID(),
    access,
  });
  const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
    key: key.privateKeyPem,
    dsaEncoding: 'ieee-p1363',
  });
  return `${header}.${claims}.${signature.toString('base64url')}`;
}
