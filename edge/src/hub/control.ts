import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { check, describeProblems } from '@holdfast/contracts';
import { HubError } from './errors.ts';
import { FaultRequest } from './faults.ts';
import type { HubParts } from './hub.ts';
import type { MethodCall } from './methods.ts';
import { hubStatus, renderMetrics } from './status.ts';

export interface Control {
  close(): Promise<void>;
}

/** Bytes of a request body: the largest direct method payload and some. */
const BODY_BYTES_MAX = 256 * 1_024;

/** Answers the supervisor over HTTP on a Unix socket. Whoever can open the socket may do everything. */
export async function startControl(socketPath: string, parts: HubParts): Promise<Control> {
  rmSync(socketPath, { force: true });
  const server = createServer((request, response) => void answer(request, response, parts));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return { close: () => closeServer(server) };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  parts: HubParts,
): Promise<void> {
  try {
    const body = await readJson(request);
    const result = await handle(request.method ?? 'GET', request.url ?? '/', body, parts);
    if (typeof result === 'string') send(response, 200, 'text/plain; version=0.0.4', result);
    else send(response, 200, 'application/json', JSON.stringify(result));
  } catch (error) {
    const status = (error as Partial<HubError>).status ?? 500;
    const { message, code } = error as HubError;
    send(response, status, 'application/json', JSON.stringify({ code, message }));
  }
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type });
  response.end(text);
}

/** Module ids in paths; a leaf device is `/devices/<id>` instead of `/<module>`. */
async function handle(
  method: string,
  url: string,
  body: unknown,
  parts: HubParts,
): Promise<object | string> {
  const [area, name, item] = new URL(url, 'http://hub').pathname
    .slice(1)
    .split('/')
    .map(decodeURIComponent);
  const clientId = `${parts.config.deviceId}/${name}`;
  switch (`${method} ${area}`) {
    case 'GET status':
      return hubStatus(parts);
    case 'GET metrics':
      return renderMetrics(parts);
    case 'POST faults':
      return setFaults(parts, body);
    case 'POST methods':
      return callMethod(parts, clientId, item, body);
    case 'GET twins':
      return twinOf(parts, clientId);
    case 'PATCH twins': {
      const change = parts.twinStore.patchDesired(clientId, body);
      parts.twins.push(change);
      parts.link.wake();
      return twinOf(parts, clientId);
    }
    default:
      throw new HubError('HUB_NOT_FOUND', `there is no ${method} ${url}`);
  }
}

function twinOf(parts: HubParts, clientId: string): object {
  return parts.twinStore.get(clientId);
}

function callMethod(
  parts: HubParts,
  clientId: string,
  methodName: string | undefined,
  body: unknown,
): Promise<object> {
  const options = (body ?? {}) as Omit<MethodCall, 'methodName'>;
  parts.metrics.count('edgehub_direct_methods_total', { to: clientId });
  return parts.methods.call(clientId, { ...options, methodName: methodName ?? '' });
}

function setFaults(parts: HubParts, body: unknown): object {
  const checked = check(FaultRequest, body);
  if (!checked.ok) throw new HubError('HUB_BAD_REQUEST', describeProblems(checked.problems));
  parts.faults.set(checked.value);
  for (const name of checked.value.disconnect ?? []) {
    const id = parts.sessions.get(name) === undefined ? `${parts.config.deviceId}/${name}` : name;
    parts.sessions.get(id)?.client.close();
  }
  return {};
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new HubError('HUB_BAD_REQUEST', 'the body is too large');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new HubError('HUB_BAD_REQUEST', 'the body is not JSON');
  }
}
