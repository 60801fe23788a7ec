import { Ajv } from 'ajv';

type Json = Record<string, unknown>;

export interface CheckedAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

const HEADER_LENGTH = 'inference-header-content-length';
/** The document's own key in the validator. */
const ID = 'api';

/**
 * Holds answers against an OpenAPI document: the status must be described for the path and the method, the media type
 * for the status, and the body (of a binary answer, the JSON at its beginning) must keep to the schema.
 */
export class AnswerCheck {
  readonly #ajv = new Ajv({ strict: false, allErrors: true });
  readonly #paths: Record<string, Record<string, { responses: Json }>>;

  constructor(document: Json) {
    this.#ajv.addSchema({ $id: ID, ...document });
    this.#paths = document.paths as Record<string, Record<string, { responses: Json }>>;
  }

  /** What the answer does wrong, one sentence each. */
  problems(method: string, url: string, answer: CheckedAnswer): string[] {
    const { status, headers, body } = answer;
    const path = this.#pathOf(new URL(url, 'http://x').pathname);
    const operation = path === undefined ? undefined : this.#paths[path]?.[method.toLowerCase()];
    const error = '/components/schemas/Error';
    if (operation === undefined) {
      if (status < 400) return [`${method} ${url} is answered with ${status}, but not described`];
      return this.#problemsOf(error, body, headers);
    }
    const response = operation.responses[status] as { content?: Json } | undefined;
    if (response === undefined) return [`${method} ${path}: status ${status} is not described`];
    const type = String(headers['content-type']);
    if (response.content?.[type] === undefined)
      return [`${method} ${path} ${status}: ${type} is not described`];
    const content = `/paths/${pointer(path!)}/${method.toLowerCase()}/responses/${status}/content`;
    const problems: string[] = [];
    if (type === 'application/octet-stream') {
      const length = Number(headers[HEADER_LENGTH]);
      if (!Number.isInteger(length)) return [`${path}: binary answer without ${HEADER_LENGTH}`];
      problems.push(
        ...this.#problemsOf(
          `${content}/application~1json/schema`,
          body.subarray(0, length),
          headers,
        ),
      );
    } else {
      if (headers[HEADER_LENGTH] !== undefined)
        problems.push(`${path}: ${HEADER_LENGTH} with a JSON answer`);
      problems.push(...this.#problemsOf(`${content}/application~1json/schema`, body, headers));
    }
    if (status >= 400) problems.push(...this.#problemsOf(error, body, headers));
    if (status === 405 && headers.allow === undefined) problems.push('405 without Allow');
    if ([429, 503].includes(status) && headers['retry-after'] === undefined) {
      problems.push(`${status} without Retry-After`);
    }
    return problems;
  }

  #problemsOf(schemaPointer: string, body: Buffer, headers: CheckedAnswer['headers']): string[] {
    if (String(headers['content-type']).split(';')[0] === 'text/plain')
      return ['the answer is text/plain'];
    let value: unknown;
    try {
      value = JSON.parse(body.toString());
    } catch {
      return [`the body is not JSON: ${body.subarray(0, 80)}`];
    }
    const validate = this.#ajv.getSchema(`${ID}#${schemaPointer}`);
    if (validate === undefined) return [`no schema at ${schemaPointer}`];
    if (validate(value) === true) return [];
    return [this.#ajv.errorsText(validate.errors, { dataVar: 'body' })];
  }

  #pathOf(pathname: string): string | undefined {
    const plain = pathname === '/v2/' ? '/v2' : pathname;
    if (this.#paths[plain] !== undefined) return plain;
    const segments = plain.split('/');
    return Object.keys(this.#paths).find((path) => {
      const parts = path.split('/');
      return (
        parts.length === segments.length &&
        parts.every((part, at) =>
          part.startsWith('{') ? segments[at] !== '' : part === segments[at],
        )
      );
    });
  }
}

const pointer = (path: string): string =>
  encodeURIComponent(path.replaceAll('~', '~0').replaceAll('/', '~1'));
