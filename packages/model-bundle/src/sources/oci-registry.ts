import { type Credential, credentialFor } from './credentials.ts';
import { SourceError } from './errors.ts';
import type { HttpAnswer, HttpRequest } from './http-client.ts';
import { errorOf } from './http-errors.ts';
import { basic, type WebAccess } from './https-source.ts';
import { readSmall } from './read-body.ts';
import { showRef } from './ref.ts';
import { SMALL_BYTES_MAX } from './source.ts';

/** A request below one repository. */
export type RegistryRequest = Omit<HttpRequest, 'url' | 'authorization'> & {
  /** Below `/v2/<repository>/`, or a location that the registry gave. */
  at: string | URL;
};

/**
 * One repository of an OCI registry. Shows credentials when it is asked to: Basic, or a token that is fetched from the
 * server which the registry names (`WWW-Authenticate: Bearer`), again when it has expired.
 */
export class OciRegistry {
  readonly #base: URL;
  readonly #repository: string;
  readonly #access: WebAccess;
  readonly #actions: string;
  readonly #credential: Credential | undefined;
  #authorization: string | undefined;

  /** @param actions that a token is asked for: `pull` or `pull,push` */
  constructor(origin: URL, repository: string, access: WebAccess, actions: 'pull' | 'pull,push') {
    this.#base = new URL(`/v2/${repository}/`, origin);
    this.#repository = repository;
    this.#access = access;
    this.#actions = actions;
    this.#credential = credentialFor(access.credentials, new URL(`/${repository}`, origin));
    if (this.#credential !== undefined && 'token' in this.#credential) {
      this.#authorization = `Bearer ${this.#credential.token}`;
    }
  }

  /** Gives the answer whatever its status, but never 401. @throws SourceError */
  async send({ at, ...wanted }: RegistryRequest): Promise<HttpAnswer> {
    const url = new URL(at, this.#base);
    const mine = url.origin === this.#base.origin;
    const { http } = this.#access;
    for (let tries = 0; ; tries += 1) {
      const authorization = mine ? this.#authorization : undefined;
      const answer = await http.send({ ...wanted, url, authorization });
      if (answer.status !== 401) return answer;
      // 401 of a place that was redirected to is not a question to us.
      if (tries === 1 || !mine || answer.url.origin !== url.origin) throw await errorOf(answer);
      const challenge = answer.headers['www-authenticate'] ?? '';
      answer.body.resume();
      this.#authorization = await this.#answerTo(challenge, answer);
    }
  }

  async #answerTo(challenge: string, answer: HttpAnswer): Promise<string> {
    const [, scheme = '', rest = ''] = /^(\w+)\s*(.*)$/s.exec(challenge.trim()) ?? [];
    if (scheme.toLowerCase() === 'bearer') return `Bearer ${await this.#token(parametersOf(rest))}`;
    const credential = this.#credential;
    if (scheme.toLowerCase() !== 'basic') throw await errorOf(answer);
    if (credential === undefined || !('username' in credential)) {
      const text = `${showRef(this.#base)} wants a user and a password, and none are given for ${this.#base.host}`;
      throw new SourceError('SOURCE_DENIED', text);
    }
    return basic(credential);
  }

  /** The token flow of the Docker registry, which all registries have: GET realm?service&scope, `{token}`. */
  async #token(parameters: ReadonlyMap<string, string>): Promise<string> {
    const realm = parameters.get('realm') ?? '';
    if (!URL.canParse(realm)) {
      throw new SourceError('SOURCE_PROTOCOL', `${showRef(this.#base)} names no token server`);
    }
    const url = new URL(realm);
    const service = parameters.get('service');
    if (service !== undefined) url.searchParams.set('service', service);
    const scope = `repository:${this.#repository}:${this.#actions}`;
    url.searchParams.set('scope', parameters.get('scope') ?? scope);
    const credential = this.#credential;
    const shown = credential !== undefined && 'username' in credential;
    const { http, limits, signal } = this.#access;
    const authorization = shown ? basic(credential) : undefined;
    const answer = await http.send({ method: 'GET', url, authorization });
    if (answer.status === 401 || answer.status === 403) {
      answer.body.destroy();
      const text = `${showRef(url)} answers ${answer.status}: give other credentials for ${this.#base.host}`;
      throw new SourceError('SOURCE_DENIED', text);
    }
    if (answer.status !== 200) throw await errorOf(answer);
    const options = { ...limits, signal, bytesMax: SMALL_BYTES_MAX };
    const token = tokenIn(await readSmall(answer.body, 'token', options));
    if (token !== undefined) return token;
    throw new SourceError('SOURCE_PROTOCOL', `${showRef(url)} gives no token`);
  }
}

function tokenIn(bytes: Buffer): string | undefined {
  try {
    const { token, access_token } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    const found = token ?? access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** `realm="https://...",service="..."` of a challenge. */
function parametersOf(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/g);
  return new Map(
    [...found].map(([, key = '', quoted, bare]) => [key.toLowerCase(), quoted ?? bare ?? '']),
  );
}
