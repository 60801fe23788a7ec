import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { HubLog } from '../hub/log.ts';
import { authorizeDevice, authorizeService } from './authorize.ts';
import { CloudStore, type MessageCounts, type ReceivedMessage } from './cloud-store.ts';
import type { CloudConfig } from './config.ts';
import { Changes, edgeApi } from './edge-api.ts';
import { CloudError } from './errors.ts';
import { type JsonReply, type JsonRequest, serveJson } from './json-http.ts';
import { Link } from './link.ts';
import { MethodRelay } from './method-relay.ts';
import { serviceApi } from './service-api.ts';

const MESSAGES_MAX = 100_000;
const BYTES_MAX = 256 * 1_024 * 1_024;

export interface CloudStatus extends MessageCounts {
  up: boolean;
  port: number;
  /** Edge devices whose poll is under way. */
  connected: string[];
}

export interface RunningCloud {
  readonly port: number;
  setLink(up: boolean): Promise<void>;
  status(): CloudStatus;
  messages(after?: number, limit?: number): ReceivedMessage[];
  close(): Promise<void>;
}

export interface CloudOptions {
  config: CloudConfig;
  log: HubLog;
  wallMs(): number;
}

/** Starts the local IoT hub stand-in, in this process. Resolves when it listens, with the link up. */
export async function startCloud({ config, log, wallMs }: CloudOptions): Promise<RunningCloud> {
  const store = new CloudStore(config.stateDir, {
    messagesMax: config.messagesMax ?? MESSAGES_MAX,
    bytesMax: config.bytesMax ?? BYTES_MAX,
  });
  const changes = new Changes();
  const relay = new MethodRelay(randomUUID, (device) => changes.notify(device));
  const parts = { config, store, relay, changes, wallMs };
  const serve = async (request: JsonRequest): Promise<JsonReply> => {
    const token = request.headers.authorization;
    const nowSecs = Math.floor(wallMs() / 1_000);
    const [area, device = ''] = request.path;
    if (area !== 'edge') {
      authorizeService(token, config, nowSecs);
      return serviceApi(request, parts);
    }
    authorizeDevice(token, device, config, nowSecs);
    return edgeApi(request, device, parts);
  };
  const link = new Link(config, (request, response) => void serveJson(request, response, serve));
  await link.set(true);
  const cloud: RunningCloud = {
    get port() {
      return link.port;
    },
    setLink: async (up) => {
      await link.set(up);
      log('info', up ? 'Link is up' : 'Link is down');
    },
    status: () => ({
      up: link.up,
      port: link.port,
      connected: Object.keys(config.devices).filter((device) => changes.isPolled(device)),
      ...store.counts(),
    }),
    messages: (after = 0, limit = 100) => store.messages(after, limit),
    close: async () => {
      relay.close();
      await link.set(false);
      await closeServer(control);
      store.close();
    },
  };
  const control = await startControl(config.controlSocket, cloud);
  log('info', 'Cloud is up', { port: link.port });
  return cloud;
}

/** `GET /control/status`, `GET /control/messages?after=&limit=`, `POST /control/link {up}`; no token is asked for. */
async function startControl(socketPath: string, cloud: RunningCloud): Promise<Server> {
  rmSync(socketPath, { force: true });
  const handle = async (request: JsonRequest): Promise<JsonReply> => {
    switch (`${request.method} ${request.path.join('/')}`) {
      case 'GET control/status':
        return { status: 200, body: cloud.status() };
      case 'GET control/messages': {
        const after = Number(request.query.get('after') ?? 0);
        const limit = Math.min(Number(request.query.get('limit') ?? 100), 1_000);
        return { status: 200, body: cloud.messages(after, limit) };
      }
      case 'POST control/link': {
        const { up } = (request.body ?? {}) as { up?: unknown };
        if (typeof up !== 'boolean') throw new CloudError('ArgumentInvalid', 'up: true or false');
        await cloud.setLink(up);
        return { status: 200, body: { up } };
      }
      default:
        throw new CloudError(
          'NotFound',
          `there is no ${request.method} /${request.path.join('/')}`,
        );
    }
  };
  const server = createServer((request, response) => void serveJson(request, response, handle));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return server;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
