import { describe, expect, it } from '@jest/globals';
import { bytesOf, guardedMqtt, type MqttClient } from './acknowledgement.ts';
import type { Sdk } from './sdk.ts';

type Packet = Parameters<MqttClient['handleMessage']>[0];

/** The guard around a fake client of mqtt.js: what the SDK would hand to its transport. */
function guarded(): {
  guard: ReturnType<typeof guardedMqtt>;
  client: MqttClient;
  connectOptions: Record<string, unknown>[];
  /** As mqtt.js hands a message to its listeners. */
  arrives: (topic: string, payload: Buffer) => void;
  cuts: () => number;
} {
  let cuts = 0;
  let arrives: (topic: string, payload: Buffer) => void = () => {};
  const connectOptions: Record<string, unknown>[] = [];
  const client: MqttClient = {
    handleMessage: (_packet, done) => done(),
    publish: (topic, _payload, _options, callback) => {
      callback(topic === 'bad' ? new Error('bad') : undefined, { payload: 'the body' });
    },
    prependListener: (_event, listener) => {
      arrives = listener;
    },
    stream: { destroy: () => void cuts++ },
  };
  class MqttBase {
    readonly mqttProvider: { connect: (url: string, options: Record<string, unknown>) => unknown };
    constructor(provider?: MqttBase['mqttProvider']) {
      this.mqttProvider = provider ?? {
        connect: (_url, options) => {
          connectOptions.push(options);
          return client;
        },
      };
    }
  }
  class Mqtt {
    constructor(_authentication: unknown, base: MqttBase) {
      base.mqttProvider.connect('mqtts://hub', { ca: 'CA', keepalive: 180 });
    }
  }
  const guard = guardedMqtt({ Mqtt, MqttBase } as unknown as Sdk, { keepaliveSecs: 60 });
  new guard.transport({} as never);
  return { guard, client, connectOptions, arrives, cuts: () => cuts };
}

const input: Packet = { topic: 'devices/d/modules/m/inputs/in/', qos: 1 };

describe('guarded acknowledgement', () => {
  it('acknowledges an input message once it has been handled', async () => {
    const { guard, client } = guarded();
    let acknowledged = false;
    // As the SDK does it: the listener runs in a tick that was queued before the hook was called.
    process.nextTick(() => guard.handled());
    client.handleMessage(input, () => {
      acknowledged = true;
    });
    expect(acknowledged).toBe(false);
    await new Promise(setImmediate);
    expect(acknowledged).toBe(true);
  });

  it('cuts the connection instead of acknowledging what nobody handled', async () => {
    const { guard, client, cuts } = guarded();
    let acknowledged = 0;
    client.handleMessage(input, () => acknowledged++);
    await new Promise(setImmediate);
    expect({ acknowledged, cuts: cuts() }).toEqual({ acknowledged: 0, cuts: 1 });

    process.nextTick(() => guard.handled());
    client.handleMessage(input, () => acknowledged++);
    await new Promise(setImmediate);
    expect({ acknowledged, cuts: cuts() }).toEqual({ acknowledged: 1, cuts: 1 });
  });

  it('lets everything else pass at once', () => {
    const { client } = guarded();
    let passed = 0;
    client.handleMessage({ topic: '$iothub/methods/POST/ping/?$rid=1', qos: 0 }, () => passed++);
    client.handleMessage({ topic: 'devices/d/modules/m/other', qos: 1 }, () => passed++);
    expect(passed).toBe(2);
  });

  it('keeps the options of the SDK and sets the keepalive', () => {
    expect(guarded().connectOptions).toEqual([{ ca: 'CA', keepalive: 60 }]);
  });

  it('answers a publish without the packet, and passes errors on', () => {
    const { client } = guarded();
    const answers: unknown[][] = [];
    for (const topic of ['good', 'bad']) {
      client.publish(topic, 'the body', {}, (...answer) => answers.push(answer));
    }
    expect(answers).toEqual([[undefined], [new Error('bad')]]);
  });

  it('gives the SDK the body of an input message without its text, and us the bytes as they came', () => {
    const { arrives } = guarded();
    const payload = Buffer.from('{"seen":"ä"}').subarray(1);
    arrives(input.topic, payload);
    expect(payload.toString()).toBe('');
    expect(bytesOf(payload).toString('utf8')).toBe('"seen":"ä"}');
    const other = Buffer.from('{}');
    arrives('$iothub/methods/POST/ping/?$rid=1', other);
    expect(other.toString()).toBe('{}');
  });

  it('cuts when retired, and each connection that is made after that', async () => {
    const { guard, cuts } = guarded();
    guard.retire();
    expect(cuts()).toBe(1);
    new guard.transport({} as never);
    await new Promise(setImmediate);
    expect(cuts()).toBe(2);
  });
});
