import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import type { EdgeHandle } from './edge-handle.ts';
import { EdgeError } from './errors.ts';
import type { LogFilter } from './log-lines.ts';

/** Bytes of a request: a direct method's payload and some. */
const BODY_BYTES_MAX = 256 * 1024;

const id = z.string().min(1);
const document = z.record(z.string(), z.unknown());

/** What the command line may ask of a running edge, one shape a request. */
export const ControlRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('ps') }),
  z.strictObject({ do: z.literal('info') }),
  z.strictObject({ do: z.literal('hub') }),
  z.strictObject({ do: z.literal('link'), up: z.boolean() }),
  z.strictObject({ do: z.literal('restart'), id }),
  z.strictObject({ do: z.literal('kill'), id, signal: z.string().regex(/^SIG[A-Z0-9]+$/) }),
  z.strictObject({ do: z.literal('method'), id, name: z.string().min(1), payload: z.unknown() }),
  z.strictObject({ do: z.literal('twin'), id, patch: document.optional() }),
  z.strictObject({
    do: z.literal('logs'),
    id,
    filter: z
      .strictObject({
        tail: z.int().min(0).optional(),
        since: z.string().optional(),
        until: z.string().optional(),
        level: z.int().min(0).max(7).optional(),
        regex: z.string().optional(),
      })
      .default({}),
  }),
  z.strictObject({ do: z.literal('faults'), faults: document }),
]);
export type ControlRequest = z.input<typeof ControlRequest>;

/** Answers requests over HTTP on a Unix socket in the state folder. Whoever can open it may do everything. */
export async function startControlServer(
  socket: string,
  edge: EdgeHandle,
): Promise<{ close(): Promise<void> }> {
  rmSync(socket, { force: true });
  const server = createServer(async (request, response) => {
    const { status, answer } = await answerOf(request, edge);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? null));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return { close: () => close(server) };
}

async function answerOf(
  request: IncomingMessage,
  edge: EdgeHandle,
): Promise<{ status: number; answer: unknown }> {
  try {
    const checked = check(ControlRequest, JSON.parse(await readBody(request)));
    if (!checked.ok) return refusal(describeProblems(checked.problems));
    return { status: 200, answer: await perform(edge, checked.value) };
  } catch (error) {
    return refusal((error as Error).message);
  }
}

const refusal = (message: string) => ({ status: 400, answer: { message } });

async function perform(
  edge: EdgeHandle,
  request: z.output<typeof ControlRequest>,
): Promise<unknown> {
  switch (request.do) {
    case 'ps':
      return edge.modules();
    case 'info':
      return {
        deviceId: edge.deviceId,
        gateway: edge.gateway,
        cloudUrl: edge.cloudUrl,
        ...edge.connectionStrings,
      };
    case 'hub':
      return edge.hubStatus();
    case 'link':
      return edge.setUpstream(request.up);
    case 'restart':
      return edge.restart(request.id);
    case 'kill':
      return edge.kill(request.id, request.signal as NodeJS.Signals);
    case 'method':
      return edge.invokeMethod(request.id, request.name, request.payload);
    case 'twin':
      if (request.patch !== undefined) await edge.patchTwin(request.id, request.patch);
      return edge.twin(request.id);
    case 'logs':
      return edge.logs(request.id, request.filter as LogFilter);
    case 'faults':
      return edge.setFaults(request.faults);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new EdgeError('EDGE_REFUSED', 'the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
