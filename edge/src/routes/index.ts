export { compileRoute } from './compile.ts';
export type { CompiledRoute, RoutableMessage, Sink } from './port.ts';
export { RouteError } from './route-error.ts';
