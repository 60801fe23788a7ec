import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpGate } from './tcp-gate.ts';
import { until } from './until.ts';

let server: Server;
let gate: TcpGate;
const sockets: Socket[] = [];

beforeEach(async () => {
  // Answers each chunk with itself.
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gate = await TcpGate.open({ port: (server.address() as { port: number }).port });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gate.close();
  server.close();
});

interface Client {
  socket: Socket;
  received: () => string;
  closed: () => boolean;
  error: () => string | undefined;
}

function client(): Client {
  const socket = connect({ host: '127.0.0.1', port: gate.port });
  sockets.push(socket);
  let text = '';
  let closed = false;
  let code: string | undefined;
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  return { socket, received: () => text, closed: () => closed, error: () => code };
}

describe('a gate', () => {
  it('forwards both ways and counts bytes while up', async () => {
    const { socket, received } = client();
    socket.write('hello');
    await until(() => received() === 'hello');
    expect(gate.bytes).toEqual({ toTarget: 5, toClient: 5 });
    expect(gate.connections).toBe(1);
  });

  it('resets what is open and refuses what comes while down, and keeps its port', async () => {
    const before = client();
    before.socket.write('x');
    await until(() => before.received() === 'x');
    const { port } = gate;
    await gate.set('down');
    await until(before.closed);
    expect(before.error()).toBe('ECONNRESET');
    const during = client();
    await until(during.closed);
    expect(during.error()).toBe('ECONNREFUSED');
    await gate.set('up');
    expect(gate.port).toBe(port);
    const after = client();
    after.socket.write('back');
    await until(() => after.received() === 'back');
  });

  it('accepts and swallows while silent, and delivers when up again', async () => {
    const before = client();
    before.socket.write('1');
    await until(() => before.received() === '1');
    await gate.set('silent');
    before.socket.write('2');
    const during = client();
    during.socket.write('3');
    await until(() => gate.connections === 2);
    await new Promise(setImmediate);
    expect(gate.bytes.toTarget).toBe(1);
    expect([before.closed(), during.closed()]).toEqual([false, false]);
    await gate.set('up');
    await until(() => before.received() === '12' && during.received() === '3');
  });

  it('is slow when told to be', async () => {
    gate.latencyMs = 30;
    const { socket, received } = client();
    const startedMs = performance.now();
    socket.write('slow');
    await until(() => received() === 'slow');
    // There and back; timers may fire a millisecond early.
    expect(performance.now() - startedMs).toBeGreaterThan(55);
  });

  it('cuts connections once without going down', async () => {
    const { closed } = client();
    await until(() => gate.connections === 1);
    gate.cut();
    await until(closed);
    const again = client();
    again.socket.write('y');
    await until(() => again.received() === 'y');
  });

  it('strands what is open and tells neither end, and serves new connections', async () => {
    const before = client();
    before.socket.write('1');
    await until(() => before.received() === '1');
    gate.strand();
    before.socket.write('2');
    const after = client();
    after.socket.write('3');
    await until(() => after.received() === '3');
    expect([before.received(), before.closed()]).toEqual(['1', false]);
  });

  it('delivers everything in order over a line that loses packets', async () => {
    Object.assign(gate, { latencyMs: 1, loss: 0.2 });
    const { socket, received } = client();
    const text = Array.from({ length: 5_000 }, (_, i) => `${i} `).join('');
    socket.write(text);
    await until(() => received() === text, { timeoutMs: 20_000 });
  });
});
