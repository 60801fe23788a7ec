import { Readable } from 'node:stream';
import { createDeflate, createGzip } from 'node:zlib';
import { sendBeforeBody } from '@holdfast/module-host';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** An answer before it is sent: a JSON value, JSON text in pieces, or bytes. */
export type Answer = { status: number; headers?: Readonly<Record<string, string>> } & (
  | { value: unknown }
  | { json: readonly Iterable<string>[] }
  | { binary: readonly Uint8Array[] }
);

/** From here on an answer goes out piece by piece, with other work in between. */
const PIECEWISE_BYTES = 256 * 1024;

/** Below, compression costs more than it saves. */
const COMPRESS_BYTES_MIN = 1_024;

/** Level 1: on a local network more of it costs more time than the bytes it saves. */
const ENCODERS = {
  gzip: () => createGzip({ level: 1 }),
  deflate: () => createDeflate({ level: 1 }),
};
type Encoding = keyof typeof ENCODERS;

/** Sends an answer, in the encoding that the client asks for. */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
): FastifyReply {
  const isBinary = 'binary' in answer;
  const type = isBinary ? 'application/octet-stream' : 'application/json';
  reply.code(answer.status).headers({ 'content-type': type, ...answer.headers });
  // Without it, a character set is put behind a type that has none.
  reply.serializer(asItIs);
  const body = isBinary ? whole(answer.binary) : gather(answer);
  const size =
    typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.byteLength(body) : undefined;
  const isSmall = size !== undefined && size < COMPRESS_BYTES_MIN;
  const encoding = isSmall ? undefined : encodingOf(request.headers['accept-encoding']);
  if (encoding === undefined && size !== undefined) {
    return sendBeforeBody(request, reply, body as string | Buffer);
  }
  const pieces = size === undefined ? (body as Pieces) : [Buffer.from(body as string)];
  const stream = Readable.from(inTurns(pieces), { objectMode: false });
  if (encoding === undefined) {
    if (isBinary) reply.header('content-length', lengthOf(answer.binary));
    return reply.send(stream);
  }
  reply.headers({ 'content-encoding': encoding, vary: 'accept-encoding' });
  return reply.send(stream.pipe(ENCODERS[encoding]()));
}

type Pieces = Iterable<Uint8Array>;

const asItIs = (body: unknown): string => body as string;

const lengthOf = (pieces: readonly Uint8Array[]): number =>
  pieces.reduce((sum, piece) => sum + piece.byteLength, 0);

const whole = (pieces: readonly Uint8Array[]): Buffer | Pieces =>
  lengthOf(pieces) < PIECEWISE_BYTES ? Buffer.concat(pieces) : pieces;

/** The text in one piece where it is short, which a socket takes together with the headers; else piece by piece. */
function gather(
  answer: { value: unknown } | { json: readonly Iterable<string>[] },
): string | Pieces {
  if ('value' in answer) return JSON.stringify(answer.value);
  const rest = texts(answer.json);
  let head = '';
  // Not `for ... of`, which would end what is left of it when it is broken off.
  for (let next = rest.next(); !next.done; next = rest.next()) {
    head += next.value;
    if (head.length > PIECEWISE_BYTES) return buffers(head, rest);
  }
  return head;
}

function* texts(parts: readonly Iterable<string>[]): Generator<string> {
  for (const part of parts) yield* part;
}

function* buffers(head: string, rest: Iterable<string>): Generator<Uint8Array> {
  yield Buffer.from(head);
  for (const text of rest) yield Buffer.from(text);
}

/** Large pieces are cut, and the event loop has a turn after each. */
async function* inTurns(pieces: Pieces): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += PIECEWISE_BYTES) {
      yield piece.subarray(at, at + PIECEWISE_BYTES);
      await new Promise(setImmediate);
    }
  }
}

/** RFC 9110, 12.5.3, as far as it matters here: names with a weight of 0 are refused, of the others gzip is first. */
export function encodingOf(accepted: string | string[] | undefined): Encoding | undefined {
  if (accepted === undefined) return undefined;
  const names = new Set<string>();
  for (const part of String(accepted).toLowerCase().split(',')) {
    const [name, ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    if (weight === undefined || Number(weight.slice(2)) > 0) names.add(name!);
  }
  if (names.has('gzip')) return 'gzip';
  return names.has('deflate') ? 'deflate' : undefined;
}
