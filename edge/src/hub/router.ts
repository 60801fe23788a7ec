import type { CompiledRoute } from '../routes/port.ts';
import type { HubConfig } from './config.ts';
import { HubError } from './errors.ts';
import { type Destination, type HubMessage, UPSTREAM } from './message.ts';

export type CompileRoute = (text: string) => CompiledRoute;

interface ActiveRoute {
  name: string;
  compiled: CompiledRoute;
  endpoint: string;
  priority: number;
  timeToLiveMs: number | undefined;
}

/** All routes of one configuration. Immutable: a new configuration is a new router. */
export class Router {
  readonly #routes: readonly ActiveRoute[];

  /** @throws HubError HUB_CONFIG when one route does not compile: then the whole configuration is invalid. */
  constructor(config: Pick<HubConfig, 'routes' | 'timeToLiveSecs'>, compileRoute: CompileRoute) {
    this.#routes = Object.entries(config.routes).map(([name, route]) => {
      const compiled = compile(name, route.route, compileRoute);
      const seconds = route.timeToLiveSecs > 0 ? route.timeToLiveSecs : config.timeToLiveSecs;
      return {
        name,
        compiled,
        endpoint: endpointOf(compiled),
        priority: route.priority,
        timeToLiveMs: seconds < 0 ? undefined : seconds * 1_000,
      };
    });
  }

  get endpoints(): ReadonlySet<string> {
    return new Set(this.#routes.map((route) => route.endpoint));
  }

  /** One destination per endpoint, at the best priority; of equal routes the first one sets the time to live. */
  destinations(message: HubMessage): Destination[] {
    const best = new Map<string, Destination>();
    const routable = {
      source: message.source,
      properties: message.properties.application,
      systemProperties: message.properties.system,
      body: message.body,
    };
    for (const { compiled, endpoint, priority, timeToLiveMs } of this.#routes) {
      const known = best.get(endpoint);
      if (known !== undefined && known.priority <= priority) continue;
      if (compiled.matches(routable)) best.set(endpoint, { endpoint, priority, timeToLiveMs });
    }
    return [...best.values()];
  }
}

const endpointOf = ({ sink }: CompiledRoute): string =>
  sink.kind === 'upstream' ? UPSTREAM : `${sink.module}/${sink.input}`;

function compile(name: string, text: string, compileRoute: CompileRoute): CompiledRoute {
  try {
    return compileRoute(text);
  } catch (error) {
    throw new HubError('HUB_CONFIG', `route ${name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
