import { SCHEMAS } from './openapi-schemas.ts';
import { type Operation, ROUTES } from './routes.ts';

type Json = Record<string, unknown>;

const HEADER_LENGTH = 'Inference-Header-Content-Length';

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (name: string): Json => ({ [JSON_TYPE]: { schema: ref(name) } });

/** What each operation does, takes and gives. `errors` are those beyond what any path can answer. */
interface Described {
  summary: string;
  body?: string;
  /** Body of the answer 200. */
  answer: string;
  errors?: readonly number[];
  notReady?: string;
}

/** Of operations that read a body. */
const BODY_ERRORS = [408, 413, 415, 429] as const;
/** Of those that run a model. */
const RUN_ERRORS = [...BODY_ERRORS, 501, 504] as const;
const MODEL_METADATA = { summary: 'Inputs and outputs of a model', answer: 'ModelMetadata' };
const MODEL_READY = {
  summary: 'Whether a model is ready',
  answer: 'ModelReady',
  notReady: 'ModelNotReady',
};
const MODEL_STATISTICS = { summary: 'Counts and durations of a model', answer: 'Statistics' };
const INFER = {
  summary: 'Runs a model',
  body: 'InferRequest',
  answer: 'InferResponse',
  errors: RUN_ERRORS,
};
const CONTROL = { body: 'ControlRequest', errors: [403, ...BODY_ERRORS] };

const OPERATIONS: Record<Operation, Described> = {
  serverMetadata: {
    summary: 'Name, version and extensions of the server',
    answer: 'ServerMetadata',
  },
  openApi: { summary: 'This document', answer: 'OpenApi' },
  live: { summary: 'Whether the process lives', answer: 'Live' },
  ready: { summary: 'Whether any model is ready', answer: 'Ready', notReady: 'NotReady' },
  statistics: { summary: 'Counts and durations of all models', answer: 'Statistics' },
  modelMetadata: MODEL_METADATA,
  versionMetadata: MODEL_METADATA,
  modelReady: MODEL_READY,
  versionReady: MODEL_READY,
  modelStatistics: MODEL_STATISTICS,
  versionStatistics: MODEL_STATISTICS,
  infer: INFER,
  versionInfer: INFER,
  repositoryIndex: {
    summary: 'The models that there are, with their states',
    body: 'IndexRequest',
    answer: 'RepositoryIndex',
    errors: BODY_ERRORS,
  },
  loadModel: {
    summary: 'Makes a model ready; off unless the module allows it',
    answer: 'Loaded',
    ...CONTROL,
  },
  unloadModel: {
    summary: 'Gives the memory of a model back; as load',
    answer: 'Unloaded',
    ...CONTROL,
  },
  score: {
    summary: 'Rows or a picture to the active model; a convention, not part of the protocol',
    body: 'ScoreRequest',
    answer: 'Scores',
    errors: RUN_ERRORS,
  },
};

/** Errors that any path can answer with. */
const ERRORS: Record<number, string> = {
  400: 'The request is wrong',
  401: 'The bearer token is missing or wrong',
  404: 'No such path, model or version',
  405: 'The path does not have this method; Allow names those that it has',
  429: 'Too much at once, or too many requests without a valid token; Retry-After says when to come again',
  500: 'The request failed inside of the module',
  503: 'Not ready, or too much waits already; Retry-After says when to come again',
};
const OTHER_ERRORS: Record<number, string> = {
  403: 'Switched off, see httpModelControl',
  408: 'The body did not come to its end in time',
  413: 'The body is too large',
  415: 'Content-Type or Content-Encoding is not supported',
  501: 'This kind of input is not supported',
  504: 'The request had not begun when its time was over',
};

/** The API as an OpenAPI 3.1 document; every answer in the tests is held against it. */
export function openApi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [method, path, operation] of ROUTES) {
    paths[path] ??= parametersOf(path);
    paths[path][method.toLowerCase()] = described(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast inference',
      version,
      description:
        'Open Inference Protocol v2 (REST) with its binary tensor extension, and POST /score, which is a convention.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: { ...SCHEMAS, OpenApi: { type: 'object', required: ['openapi', 'paths'] } },
      responses: errorResponses(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function parametersOf(path: string): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  if (names.length === 0) return {};
  return {
    parameters: names.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
  };
}

function described(operation: Operation): Json {
  const { summary, body, answer, errors = [], notReady } = OPERATIONS[operation];
  const isInfer = answer === 'InferResponse';
  const responses: Json = { 200: { description: 'Done', ...contentOf(answer, operation) } };
  for (const status of [...Object.keys(ERRORS), ...errors]) {
    responses[status] = { $ref: `#/components/responses/Error${status}` };
  }
  if (notReady !== undefined) {
    const schema = { anyOf: [ref(notReady), ref('Error')] };
    responses[503] = { description: 'Not ready', content: { [JSON_TYPE]: { schema } } };
  }
  return {
    operationId: operation,
    summary,
    ...(operation === 'live' || operation === 'ready' ? { security: [] } : {}),
    ...(isInfer
      ? { parameters: [headerLength('before the raw tensors; 0: the body is one tensor')] }
      : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { required: isInfer, content: requestContent(body, operation) } }),
    responses,
  };
}

function errorResponses(): Json {
  const headers: Record<number, string> = {
    401: 'WWW-Authenticate',
    405: 'Allow',
    429: 'Retry-After',
    503: 'Retry-After',
  };
  return Object.fromEntries(
    Object.entries({ ...ERRORS, ...OTHER_ERRORS }).map(([status, description]) => {
      const header = headers[Number(status)];
      const named =
        header === undefined ? {} : { headers: { [header]: { schema: { type: 'string' } } } };
      return [`Error${status}`, { description, ...named, content: json('Error') }];
    }),
  );
}

const headerLength = (where: string): Json => ({
  name: HEADER_LENGTH,
  in: 'header',
  description: `Bytes of JSON ${where}`,
  schema: { type: 'integer', minimum: 0 },
});

/** Binary data follows the JSON directly; the part before it is as the JSON body is. */
function contentOf(answer: string, operation: Operation): Json {
  if (operation === 'score')
    return { content: { [JSON_TYPE]: { schema: { anyOf: [ref('Scores'), ref('ImageScores')] } } } };
  if (answer !== 'InferResponse') return { content: json(answer) };
  const { schema, description } = headerLength('before the raw tensors') as {
    schema: Json;
    description: string;
  };
  return {
    headers: { [HEADER_LENGTH]: { description, schema } },
    content: { ...json(answer), [BINARY_TYPE]: {} },
  };
}

function requestContent(body: string, operation: Operation): Json {
  if (body === 'InferRequest') return { ...json(body), [BINARY_TYPE]: {} };
  return operation === 'score' ? { ...json(body), 'image/*': {} } : json(body);
}
