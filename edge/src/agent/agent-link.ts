import { readFileSync } from 'node:fs';
import { connect, type MqttClient } from 'mqtt';
import { createSas } from '../hub/sas.ts';
import type { MethodResult, ModuleStatus } from './edge-handle.ts';

export interface AgentLinkOptions {
  deviceId: string;
  iotHubHostName: string;
  /** `localhost:<port>`. */
  gateway: string;
  /** Base64 key of `$edgeAgent`. */
  key: string;
  caFile: string;
  nowMs(): number;
  call(name: string, payload: unknown): Promise<MethodResult>;
  modules(): ModuleStatus[];
}

const METHODS = '$iothub/methods/POST/';
/** Of the token; longer than any edge stays up. */
const TOKEN_SECS = 365 * 86_400;
/** Changes of many modules at once become one report. */
const REPORT_DELAY_MS = 200;

/**
 * edgeAgent as a client of the hub, so that its methods can be called from the cloud and its reported properties
 * say how the modules are. The supervisor works without it.
 */
export class AgentLink {
  readonly #options: AgentLinkOptions;
  readonly #client: MqttClient;
  #timer: NodeJS.Timeout | undefined;
  #reports = 0;

  constructor(options: AgentLinkOptions) {
    const { deviceId, iotHubHostName, gateway, key, caFile, nowMs } = options;
    const expiry = Math.floor(nowMs() / 1000) + TOKEN_SECS;
    const resource = `${iotHubHostName}/devices/${deviceId}/modules/$edgeAgent`;
    this.#options = options;
    this.#client = connect(`mqtts://${gateway}`, {
      protocolVersion: 4,
      clientId: `${deviceId}/$edgeAgent`,
      username: `${iotHubHostName}/${deviceId}/$edgeAgent/?api-version=2021-04-12`,
      password: createSas(resource, key, expiry),
      clean: false,
      ca: readFileSync(caFile),
      reconnectPeriod: 1000,
    });
    // The hub may be away or killed; the client tries again by itself.
    this.#client.on('error', () => {});
    this.#client.on('connect', () => {
      this.#client.subscribe(`${METHODS}#`, { qos: 0 });
      this.report();
    });
    this.#client.on('message', (topic, body) => void this.#answer(topic, body));
  }

  /** Something about the modules has changed. */
  report(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#client.connected) return;
      this.#reports += 1;
      const topic = `$iothub/twin/PATCH/properties/reported/?$rid=${this.#reports}`;
      this.#client.publish(topic, JSON.stringify(reportOf(this.#options.modules())), { qos: 0 });
    }, REPORT_DELAY_MS);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#client.endAsync(true);
  }

  async #answer(topic: string, body: Buffer): Promise<void> {
    const found = /^\$iothub\/methods\/POST\/([^/]+)\/\?\$rid=(.+)$/.exec(topic);
    if (found?.[1] === undefined) return;
    const { status, payload } = await this.#options.call(found[1], parse(body));
    if (!this.#client.connected) return;
    const reply = `$iothub/methods/res/${status}/?$rid=${found[2]}`;
    this.#client.publish(reply, JSON.stringify(payload ?? null), { qos: 0 });
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** In the shape of edgeAgent's reported properties, as far as there is something to say. */
function reportOf(modules: readonly ModuleStatus[]): object {
  const entry = ({ state, restarts, exitCode }: ModuleStatus): object => ({
    runtimeStatus: state,
    restartCount: restarts,
    exitCode: exitCode ?? null,
  });
  // Names of reported properties must not have a dot.
  const named = modules.filter(({ id }) => !id.includes('.'));
  return {
    schemaVersion: '1.1',
    systemModules: Object.fromEntries(
      named.filter(({ id }) => id === 'edgeHub').map((module) => [module.id, entry(module)]),
    ),
    modules: Object.fromEntries(
      named.filter(({ id }) => id !== 'edgeHub').map((module) => [module.id, entry(module)]),
    ),
  };
}
