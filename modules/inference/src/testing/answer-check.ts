import { Ajv } from 'ajv';

type Json = Record<string, unknown>;

export interface CheckedAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

interface Response {
  headers?: Json;
  content?: Record<string, { schema?: Json }>;
}
type Operations = Record<string, { responses: Record<string, Response | { $ref: string }> }>;

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
const HEADER_LENGTH = 'inference-header-content-length';
/** The document's own key in the validator. */
const ID = 'api';

/**
 * Holds answers against an OpenAPI document: the status must be described for the path and the method, the media type
 * for the status, and the body (of a binary answer, the JSON at its beginning) must keep to the schema. Whatever the
 * path, an error must have the form of the protocol, and the headers that belong to its status.
 */
export class AnswerCheck {
  readonly #ajv = new Ajv({ strict: false, allErrors: true });
  readonly #document: Json;
  readonly #paths: Record<string, Operations>;

  constructor(document: Json) {
    this.#document = document;
    this.#ajv.addSchema({ $id: ID, ...document });
    this.#paths = document.paths as Record<string, Operations>;
  }

  /** What the answer does wrong, one sentence each. */
  problems(method: string, url: string, answer: CheckedAnswer): string[] {
    const { status, headers, body } = answer;
    const problems: string[] = [];
    const response = this.#responseOf(method, url, status);
    if (response === undefined) {
      if (status < 400) return [`status ${status} is not described`];
    } else if (typeof response === 'string') return [response];
    else problems.push(...this.#described(response, answer));
    if (status < 400) return problems;
    problems.push(...this.#mismatch({ $ref: `${ID}#/components/schemas/Error` }, body));
    const wanted = {
      401: 'www-authenticate',
      405: 'allow',
      429: 'retry-after',
      503: 'retry-after',
    };
    const header = wanted[status as keyof typeof wanted];
    if (header !== undefined && headers[header] === undefined) problems.push(`has no ${header}`);
    return problems;
  }

  /** Undefined for a path or a method that the document does not have; a text when it has them without the status. */
  #responseOf(method: string, url: string, status: number): Response | string | undefined {
    const path = this.#pathOf(new URL(url, 'http://x').pathname);
    const operation = path === undefined ? undefined : this.#paths[path]?.[method.toLowerCase()];
    if (operation === undefined) return undefined;
    const response = operation.responses[status];
    if (response === undefined) return `status ${status} is not described`;
    if (!('$ref' in response)) return response;
    const steps = response.$ref.slice(2).split('/');
    return steps.reduce<unknown>((node, step) => (node as Json)[step], this.#document) as Response;
  }

  #described({ content }: Response, { headers, body }: CheckedAnswer): string[] {
    const type = String(headers['content-type']);
    const schema = content?.[JSON_TYPE]?.schema;
    if (content?.[type] === undefined || schema === undefined) return [`${type} is not described`];
    const length = headers[HEADER_LENGTH];
    if (type !== BINARY_TYPE) {
      const announced = length === undefined ? [] : [`has ${HEADER_LENGTH} with a JSON body`];
      return [...announced, ...this.#mismatch(absolute(schema), body)];
    }
    const bytes = Number(length);
    if (!Number.isInteger(bytes)) return [`has binary data without ${HEADER_LENGTH}`];
    return this.#mismatch(absolute(schema), body.subarray(0, bytes));
  }

  #mismatch(schema: Json, body: Buffer): string[] {
    let value: unknown;
    try {
      value = JSON.parse(body.toString());
    } catch {
      return [`the body is not JSON: ${body.subarray(0, 80)}`];
    }
    if (this.#ajv.validate(schema, value)) return [];
    return [this.#ajv.errorsText(this.#ajv.errors, { dataVar: 'body' })];
  }

  #pathOf(pathname: string): string | undefined {
    const plain = pathname === '/v2/' ? '/v2' : pathname;
    if (this.#paths[plain] !== undefined) return plain;
    const segments = plain.split('/');
    return Object.keys(this.#paths).find((path) => {
      const parts = path.split('/');
      const fits = (part: string, at: number): boolean =>
        part.startsWith('{') ? segments[at] !== '' : part === segments[at];
      return parts.length === segments.length && parts.every(fits);
    });
  }
}

/** A schema of the document, with references that the validator finds. Kept, so that each is compiled once. */
function absolute(schema: Json): Json {
  let found = ABSOLUTE.get(schema);
  if (found === undefined) {
    found = JSON.parse(JSON.stringify(schema).replaceAll('"#/', `"${ID}#/`)) as Json;
    ABSOLUTE.set(schema, found);
  }
  return found;
}
const ABSOLUTE = new WeakMap<Json, Json>();
