/** What the supervisor tells the IoT hub stand-in: a JSON file whose path is the process's one argument. */
export interface CloudConfig {
  /** Name of the IoT hub; tokens for it and for `localhost` are accepted. */
  hostName: string;
  host: string;
  /** HTTPS for edge hubs and service clients; 0 takes a free one, which the log line `Cloud is up` names. */
  port: number;
  /** `cloud.db` lives here. */
  stateDir: string;
  tls: { keyFile: string; certFile: string };
  /** Base64 key by device id. An edge device signs with it; others are leaf devices, listed only. */
  devices: Record<string, string>;
  /** Base64 key by name of a shared access policy, for service clients: usually `iothubowner`. */
  policies: Record<string, string>;
  /** Unix socket for the supervisor; stays reachable while the link is off. */
  controlSocket: string;
  /** Messages kept; older ones go, counted. @default 100000 */
  messagesMax?: number;
  /** Bytes of bodies kept. @default 268435456 */
  bytesMax?: number;
}
