/**
 * What the supervisor tells the hub process: a JSON file whose path is the process's one argument. On SIGHUP the
 * hub reads it again and takes over routes, time to live and identities without dropping a connection.
 */
export interface HubConfig {
  deviceId: string;
  /** Host name of the IoT hub that the device belongs to; part of every user name and token. */
  iotHubHostName: string;
  /** Loopback unless the user asked for more. */
  host: string;
  /** Chosen by the supervisor before the first start, so that it stays the same over restarts. */
  port: number;
  /** `hub.db` lives here. */
  stateDir: string;
  tls: { keyFile: string; certFile: string };
  /** Module id to base64 key; verifies the SAS token of each connection. Leaf devices have the key `<device id>` with no module. */
  identities: Record<string, string>;
  routes: Record<string, { route: string; priority: number; timeToLiveSecs: number }>;
  /** Negative: for ever. */
  timeToLiveSecs: number;
  /** Desired properties by module id: used while nothing newer has come from the cloud. */
  desired: Record<string, Record<string, unknown>>;
  /** Unix socket on which the hub answers the supervisor: status, direct methods, fault switches. */
  controlSocket: string;
  /** Base URL of the local IoT hub stand-in. */
  cloudUrl: string;
  /** PEM file of the authority that signed the stand-in's certificate; needed when `cloudUrl` is https. */
  cloudCaFile?: string;
  /** Base64 key of the edge device at the stand-in. Without it the hub signs with the identity `$edgeHub`. */
  cloudKey?: string;
  /** How long a module may take to acknowledge a message before it comes again. @default 30000 */
  ackTimeoutMs?: number;
  /** Distance of two searches for expired messages and tokens. @default 10000 */
  sweepIntervalMs?: number;
}
