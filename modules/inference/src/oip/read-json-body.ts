import type { FastifyRequest } from 'fastify';
import { ApiError } from './api-error.ts';
import { parseJson } from './json-text.ts';
import type { Shared } from './operations.ts';
import { RequestBody } from './request-body.ts';

/** Bodies of operations that carry no tensors. */
const SMALL_BYTES_MAX = 64 * 1024;

/** Types of bodies that are taken for JSON; none at all is what Triton's client sends. */
const TYPES = new Set(['application/json', 'application/octet-stream']);

/** The small JSON body of an operation; `{}` when there is none. @throws ApiError */
export async function readJsonBody(shared: Shared, request: FastifyRequest): Promise<unknown> {
  mustBeJson(request);
  const body = new RequestBody(shared.held);
  try {
    await body.read(request, { bytesMax: SMALL_BYTES_MAX, what: 'here' });
    const text = await body.bytes(0, body.byteLength);
    return text.byteLength === 0 ? {} : parseJson(text);
  } finally {
    body.letGo();
  }
}

/** @throws ApiError 415 */
export function mustBeJson(request: FastifyRequest): void {
  const type = request.headers['content-type'];
  if (type === undefined || TYPES.has(type.split(';')[0]!.trim().toLowerCase())) return;
  throw new ApiError(
    415,
    `content-type: "${type}" is not allowed, must be ${[...TYPES].join(' or ')}`,
    {
      accept: [...TYPES].join(', '),
    },
  );
}
