import { z } from 'zod';
import { hostEnvironment } from './environment.ts';

interface JsonSchema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  required?: string[];
}

interface Described {
  environment: z.ZodObject;
  settings: z.ZodObject;
  httpPort?: number;
}

/** JSON Schema of the twin settings: what may stand in the module's desired properties. */
export function settingsJsonSchema(definition: { settings: z.ZodObject }): Record<string, unknown> {
  return toJson(definition.settings.strict()) as unknown as Record<string, unknown>;
}

/** Markdown for a README: one table of twin settings and one of variables, both from the schemas. */
export function settingsTable(definition: Described): string {
  const settings = rows(toJson(definition.settings.strict()), '');
  const own = rows(toJson(definition.environment), '');
  const host = rows(toJson(hostEnvironment({ httpPort: definition.httpPort ?? 8080 })), '');
  const ownNames = new Set(own.map(([name]) => name));
  const variables = [...own, ...host.filter(([name]) => !ownNames.has(name))];
  return [
    'Settings (desired properties of the module twin):\n',
    table(['Setting', 'Type', 'Default', 'Allowed', 'Meaning'], settings),
    '\nVariables (environment, read once at start; `X_FILE` names a file with the value of `X`):\n',
    table(['Variable', 'Type', 'Default', 'Allowed', 'Meaning'], variables),
  ].join('\n');
}

const toJson = (schema: z.ZodObject): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

type Row = readonly [name: string, type: string, preset: string, allowed: string, meaning: string];

function rows(schema: JsonSchema, prefix: string): Row[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]): Row[] => {
    const path = `${prefix}${name}`;
    if (property.properties !== undefined) return rows(property, `${path}.`);
    const preset =
      property.default === undefined
        ? required.has(name)
          ? 'required'
          : 'none'
        : JSON.stringify(property.default);
    return [[path, typeOf(property), preset, allowedOf(property), property.description ?? '']];
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return 'choice';
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array')
    return `list of ${schema.items === undefined ? 'values' : typeOf(schema.items)}`;
  if (schema.type === 'integer') return 'whole number';
  if (schema.type === 'object') return 'object';
  return String(schema.type ?? (schema.const === undefined ? 'any' : 'choice'));
}

/** Bounds that zod puts in for "a safe integer" say nothing to a reader. */
const isBound = (value: number | undefined): value is number =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;

function allowedOf(schema: JsonSchema): string {
  if (schema.enum !== undefined)
    return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(allowedOf).filter(Boolean).join(' or ');
  const parts: string[] = [];
  if (isBound(schema.minimum)) parts.push(`≥ ${schema.minimum}`);
  if (isBound(schema.exclusiveMinimum)) parts.push(`> ${schema.exclusiveMinimum}`);
  if (isBound(schema.maximum)) parts.push(`≤ ${schema.maximum}`);
  if (isBound(schema.exclusiveMaximum)) parts.push(`< ${schema.exclusiveMaximum}`);
  if (schema.maxLength !== undefined) parts.push(`up to ${schema.maxLength} characters`);
  return parts.join(', ');
}

function table(head: readonly string[], body: readonly Row[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  const code = body.map(([name, type, preset, allowed, meaning]) => [
    `\`${name}\``,
    type,
    preset === 'required' || preset === 'none' ? preset : `\`${preset}\``,
    allowed,
    meaning,
  ]);
  return `${[line(head), line(head.map(() => '---')), ...code.map(line)].join('\n')}\n`;
}
