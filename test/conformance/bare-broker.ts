// An MQTT broker that knows nothing of IoT Edge, in a process of its own, so that the time at which an
// acknowledgement arrives is taken outside the module. Takes `{publish: {topic, bodies}}` over the IPC channel.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import { Aedes } from 'aedes';

const [keyFile = '', certFile = '', port = '0'] = process.argv.slice(2);
const broker = await Aedes.createBroker();
const tell = (event: string, value: unknown): void => {
  process.send?.({ event, value, atNs: String(process.hrtime.bigint()) });
};
broker.on('ack', (packet) => {
  const { payload } = packet as { payload?: Buffer | string };
  if (payload !== undefined) tell('ack', payload.toString());
});
broker.on('subscribe', (subscriptions: { topic: string }[]) => {
  for (const { topic } of subscriptions) tell('subscribe', topic);
});
broker.on('clientDisconnect', (client) => tell('disconnect', client.id));
broker.on('publish', (packet: { topic: string; payload: Buffer | string }) => {
  if (packet.topic.startsWith('$iothub/twin/GET/')) answerTwin(packet.topic);
  else if (packet.topic.includes('/messages/events/')) tell('sent', packet.payload.toString());
});

function answerTwin(topic: string): void {
  const id = topic.slice(topic.indexOf('$rid='));
  const payload = JSON.stringify({ desired: { $version: 1 }, reported: { $version: 1 } });
  publish(`$iothub/twin/res/200/?${id}`, payload, 0);
}

function publish(topic: string, payload: string, qos: 0 | 1): void {
  broker.publish({ cmd: 'publish', topic, payload, qos, retain: false, dup: false }, () => {});
}

process.on('message', ({ publish: order }: { publish: { topic: string; bodies: string[] } }) => {
  for (const body of order.bodies) publish(order.topic, body, 1);
});
process.on('disconnect', () => process.exit(0));
const server = createServer(
  { key: readFileSync(keyFile), cert: readFileSync(certFile), noDelay: true },
  broker.handle,
);
server.listen(Number(port), '127.0.0.1', () => tell('listening', port));
