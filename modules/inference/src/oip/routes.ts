import { ApiError, wrong } from './api-error.ts';

/** Every operation of the API; the OpenAPI document has the same ids. */
export const ROUTES = [
  ['GET', '/v2', 'serverMetadata'],
  ['GET', '/v2/openapi.json', 'openApi'],
  ['GET', '/v2/health/live', 'live'],
  ['GET', '/v2/health/ready', 'ready'],
  ['GET', '/v2/models/stats', 'statistics'],
  ['GET', '/v2/models/{model}', 'modelMetadata'],
  ['GET', '/v2/models/{model}/ready', 'modelReady'],
  ['GET', '/v2/models/{model}/stats', 'modelStatistics'],
  ['POST', '/v2/models/{model}/infer', 'infer'],
  ['GET', '/v2/models/{model}/versions/{version}', 'versionMetadata'],
  ['GET', '/v2/models/{model}/versions/{version}/ready', 'versionReady'],
  ['GET', '/v2/models/{model}/versions/{version}/stats', 'versionStatistics'],
  ['POST', '/v2/models/{model}/versions/{version}/infer', 'versionInfer'],
  ['POST', '/v2/repository/index', 'repositoryIndex'],
  ['POST', '/v2/repository/models/{model}/load', 'loadModel'],
  ['POST', '/v2/repository/models/{model}/unload', 'unloadModel'],
  ['POST', '/score', 'score'],
] as const;

export type Operation = (typeof ROUTES)[number][2];

export interface Match {
  operation: Operation;
  model?: string;
  version?: string;
}

const PATTERNS = ROUTES.map(([method, path, operation]) => ({
  method,
  segments: path.split('/').slice(1),
  operation,
}));

/** The operation of a request. @throws ApiError 400, 404, 405 with the methods that the path has */
export function matchRoute(method: string, url: string): Match {
  const segments = segmentsOf(url);
  const matching = PATTERNS.filter((pattern) => fits(pattern.segments, segments));
  // HEAD is GET without the body, which Node leaves out.
  const asked = method === 'HEAD' ? 'GET' : method;
  const found = matching.find((pattern) => pattern.method === asked);
  if (found === undefined)
    throw noRoute(
      method,
      url,
      matching.map((pattern) => pattern.method),
    );
  const match: Match = { operation: found.operation };
  for (const [at, segment] of found.segments.entries()) {
    if (segment === '{model}') match.model = segments[at]!;
    if (segment === '{version}') match.version = segments[at]!;
  }
  return match;
}

function segmentsOf(url: string): string[] {
  const end = url.search(/[?#]/);
  const path = end < 0 ? url : url.slice(0, end);
  // The specification writes the path of the server's metadata in both ways.
  const plain = path === '/v2/' ? '/v2' : path;
  try {
    return plain.split('/').slice(1).map(decodeURIComponent);
  } catch {
    throw wrong(`path: ${path} is not percent-encoded UTF-8`);
  }
}

const fits = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length &&
  pattern.every((part, at) => (part.startsWith('{') ? segments[at] !== '' : part === segments[at]));

function noRoute(method: string, url: string, methods: readonly string[]): ApiError {
  if (methods.length === 0)
    return new ApiError(404, `path: ${url} is not known, see GET /v2/openapi.json`);
  const allow = [
    ...new Set(methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]))),
  ];
  return new ApiError(405, `method: ${method} is not allowed, must be ${allow.join(' or ')}`, {
    allow: allow.join(', '),
  });
}
