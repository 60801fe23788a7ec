/** A message as the route language sees it. */
export interface RoutableMessage {
  /** `/messages/modules/<m>/outputs/<o>`, `/messages/modules/<m>`, `/messages` or `/twinChangeNotifications`. */
  source: string;
  properties: Readonly<Record<string, string>>;
  systemProperties: Readonly<Record<string, string>>;
  body: Buffer;
}

export type Sink = { kind: 'upstream' } | { kind: 'module'; module: string; input: string };

export interface CompiledRoute {
  readonly sink: Sink;
  /** Evaluates the condition with the hub's three-valued logic; never throws. */
  matches(message: RoutableMessage): boolean;
}
