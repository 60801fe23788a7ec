import type { Message, ModuleClient, Twin } from 'azure-iot-device';

/** What this package uses of the Azure IoT SDK. */
export type { Message, ModuleClient, Twin };

export interface Sdk {
  ModuleClient: typeof import('azure-iot-device').ModuleClient;
  Message: typeof import('azure-iot-device').Message;
  Mqtt: typeof import('azure-iot-device-mqtt').Mqtt;
  MqttBase: typeof import('azure-iot-mqtt-base').MqttBase;
  NoRetry: typeof import('azure-iot-common').NoRetry;
}

/** Loads the SDK when it is needed: 200 packages, which tests on the in-memory hub need not wait for. */
export async function loadSdk(): Promise<Sdk> {
  const [device, deviceMqtt, mqttBase, common] = await Promise.all([
    import('azure-iot-device'),
    import('azure-iot-device-mqtt'),
    import('azure-iot-mqtt-base'),
    import('azure-iot-common'),
  ]);
  const { ModuleClient, Message } = named(device);
  const { Mqtt } = named(deviceMqtt);
  const { MqttBase } = named(mqttBase);
  const { NoRetry } = named(common);
  return { ModuleClient, Message, Mqtt, MqttBase, NoRetry };
}

/** Node finds only some of the names that a CommonJS package exports; all of them are on its default export. */
function named<T extends object>(module: T): T {
  const { default: all } = module as { default?: T };
  return all === undefined ? module : { ...module, ...all };
}
