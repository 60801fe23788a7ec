import { createHmac } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';

/** The part of the workload API that modules use, for one key; counts what was asked. */
export class WorkloadStub {
  readonly asked: Record<string, number> = {};
  readonly #server: Server;
  readonly #socket: string;

  private constructor(server: Server, socket: string) {
    this.#server = server;
    this.#socket = socket;
  }

  get uri(): string {
    return `unix://${this.#socket}`;
  }

  static async start(options: {
    socket: string;
    trustBundlePem: string;
    /** Base64. */
    key: string;
    certificate?: () => Promise<{ key: string; cert: string; expiresMs: number }>;
  }): Promise<WorkloadStub> {
    rmSync(options.socket, { force: true });
    const server = createServer(async (request, response) => {
      const path = new URL(request.url ?? '/', 'http://workload').pathname;
      const what = path.split('/').slice(-2).join('/');
      stub.asked[what] = (stub.asked[what] ?? 0) + 1;
      const answer = async (): Promise<unknown> => {
        if (path === '/trust-bundle') return { certificate: options.trustBundlePem };
        const body = JSON.parse(await textOf(request)) as { data: string };
        if (path.endsWith('/sign')) {
          const mac = createHmac('sha256', Buffer.from(options.key, 'base64'));
          return { digest: mac.update(Buffer.from(body.data, 'base64')).digest('base64') };
        }
        const made = await options.certificate?.();
        return {
          privateKey: { type: 'key', bytes: made?.key },
          certificate: made?.cert,
          expiration: new Date(made?.expiresMs ?? 0).toISOString(),
        };
      };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(await answer()));
    });
    const stub = new WorkloadStub(server, options.socket);
    await new Promise<void>((resolve) => server.listen(options.socket, resolve));
    return stub;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
