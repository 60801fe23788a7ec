/**
 * A message as the route language sees it. Names of properties are found without regard to case.
 * The system properties are named as edgeHub stores them: `connectionDeviceId`, `connectionModuleId`,
 * `outputName`, `contentType`, `contentEncoding`, `messageId`, `cid`, ...
 */
export interface RoutableMessage {
  /** `/messages/modules/<m>/outputs/<o>`, `/messages/modules/<m>`, `/messages` or `/twinChangeNotifications`. */
  source: string;
  properties: Readonly<Record<string, string>>;
  systemProperties: Readonly<Record<string, string>>;
  body: Buffer;
}

export type Sink = { kind: 'upstream' } | { kind: 'module'; module: string; input: string };

export interface CompiledRoute {
  /** Segments that a message's source must begin with; empty matches everything. */
  readonly source: readonly string[];
  readonly sink: Sink;
  /** Evaluates the condition with the hub's three-valued logic; never throws. */
  matches(message: RoutableMessage): boolean;
}
