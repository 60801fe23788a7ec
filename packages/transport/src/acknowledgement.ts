import type { Sdk } from './sdk.ts';

/** The part of a client of mqtt.js 4 that is touched here. */
export interface MqttClient {
  /** Hook of mqtt.js: the acknowledgement of a QoS 1 message is sent when `done` is called. */
  handleMessage(packet: { topic: string; qos: number }, done: () => void): void;
  publish(
    topic: string,
    payload: unknown,
    options: unknown,
    callback: (error?: Error, packet?: unknown) => void,
  ): unknown;
  prependListener(event: 'message', listener: (topic: string, payload: Buffer) => void): unknown;
  stream: { destroy(): void; setNoDelay?(noDelay: boolean): void };
}
interface MqttProvider {
  connect(url: string, options: Record<string, unknown>): MqttClient;
}

export interface GuardedMqtt {
  /** To hand to `ModuleClient.fromEnvironment`. */
  transport: new (
    ...args: ConstructorParameters<Sdk['Mqtt']>
  ) => InstanceType<Sdk['Mqtt']>;
  /** To be called by the input listener once a message has been handled. */
  handled(): void;
  /** Cuts the connection at once, without waiting for anything, and any that the SDK still makes. */
  retire(): void;
}

/**
 * Builds the SDK's MQTT transport around a client of mqtt.js that acknowledges an input message only after the
 * listener has said that it is handled.
 *
 * Why: by itself mqtt.js acknowledges whatever arrives. The SDK's listener mostly runs before that leaves, by the
 * order of two `process.nextTick`s; but while the SDK disconnects (renewal of a token, `close`) with a send still
 * unacknowledged, it has taken its listeners off, and what arrives then is acknowledged unseen. Here such a message,
 * and one whose handler threw, is not acknowledged; the connection is cut and the hub sends it again.
 *
 * Both constructor arguments used are offered by the SDK for replacement; nothing of it is changed.
 */
export function guardedMqtt(sdk: Sdk, options: { keepaliveSecs: number }): GuardedMqtt {
  let client: MqttClient | undefined;
  let arrived = 0;
  let handled = 0;
  let retired = false;
  const cut = (): void => client?.stream.destroy();
  const guard = (connected: MqttClient): void => {
    connected.handleMessage = (packet, done) => {
      if (packet.qos === 0 || !packet.topic.includes('/inputs/')) {
        done();
        return;
      }
      const number = ++arrived;
      // mqtt.js has just emitted the message and the SDK has queued one tick to hand it on; this tick comes after it.
      process.nextTick(() => {
        if (handled >= number) {
          done();
          return;
        }
        arrived--;
        connected.stream.destroy();
      });
    };
  };
  class GuardedTransport extends sdk.Mqtt {
    constructor(...[authentication]: ConstructorParameters<Sdk['Mqtt']>) {
      const provider: MqttProvider = {
        connect: (url, connectOptions) => {
          client = mqttOf(base).connect(url, {
            ...connectOptions,
            keepalive: options.keepaliveSecs,
          });
          guard(client);
          leaveOutPacket(client);
          leaveOutBody(client);
          // An acknowledgement followed by a send would otherwise wait 40 ms for the hub's delayed TCP ACK.
          client.stream.setNoDelay?.(true);
          if (retired) setImmediate(cut);
          return client;
        },
      };
      const base = new sdk.MqttBase();
      super(authentication, new sdk.MqttBase(provider));
    }
  }
  return {
    transport: GuardedTransport,
    handled: () => {
      handled++;
    },
    retire: () => {
      retired = true;
      cut();
    },
  };
}

/**
 * Answers each publish without the packet that was sent: the SDK makes JSON of that, body and all, for a debug line,
 * debugging or not, which takes more time than everything else in a send of 240 kB.
 */
function leaveOutPacket(client: MqttClient): void {
  const publish = client.publish.bind(client);
  client.publish = (topic, payload, options, callback) =>
    publish(topic, payload, options, (error) => callback(error));
}

/**
 * Gives the SDK bodies that have no text: for each message it makes text and then JSON of the whole body for a debug line,
 * debugging or not. `bytesOf` gives the bytes as they came.
 */
function leaveOutBody(client: MqttClient): void {
  client.prependListener('message', (topic, payload) => {
    if (topic.includes('/inputs/')) Object.assign(payload, { toString: () => '' });
  });
}

/** The body of a message of the SDK, as any other buffer. */
export const bytesOf = (body: Buffer): Buffer =>
  Buffer.from(body.buffer, body.byteOffset, body.length);

/** The SDK's own copy of mqtt.js, which cannot be imported by name because npm nests it. */
function mqttOf(base: InstanceType<Sdk['MqttBase']>): MqttProvider {
  return (base as unknown as { mqttProvider: MqttProvider }).mqttProvider;
}
