/** Values by name; looked up once, never executed. */
export type Variables = Readonly<Record<string, string>>;

const reference = /\$(?:(\w+)|\{([^}]*)\})/g;

/**
 * Replaces `$NAME` and `${NAME}` anywhere in a text. Unknown names stay as they are. Inside a JSON string the value
 * is escaped, so that a quote or backslash in it cannot break the document; outside it is put in as it is.
 */
export function expandVariables(json: string, variables: Variables): string {
  const quoted = insideStrings(json);
  return json.replace(
    reference,
    (whole, plain: string | undefined, braced: string | undefined, at: number) => {
      const name = plain ?? braced ?? '';
      const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
      if (value === undefined) return whole;
      return quoted(at) ? JSON.stringify(value).slice(1, -1) : value;
    },
  );
}

/** Tells for ascending positions of a JSON text whether they are inside a string. */
function insideStrings(json: string): (position: number) => boolean {
  let at = 0;
  let inside = false;
  return (position) => {
    for (; at < position; at += 1) {
      if (json[at] === '\\' && inside) at += 1;
      else if (json[at] === '"') inside = !inside;
    }
    return inside;
  };
}

/**
 * Names of the variables in a text. Only names in capitals count: `$upstream`, `$edgeHub` or a system property in a
 * route look like variables too, and so does `${MODULES.x}`.
 */
export function variablesIn(text: string): string[] {
  const names = new Set<string>();
  for (const [, plain, braced] of text.matchAll(reference)) {
    const name = plain ?? braced ?? '';
    if (/^[A-Z][A-Z0-9_]*$/.test(name)) names.add(name);
  }
  return [...names];
}

/**
 * Reads the text of an `.env` file: `NAME=value` a line, `#` comments, optional `export` and quotes. In double
 * quotes `\n`, `\"` and `\\` are resolved.
 */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const found = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (found?.[1] === undefined) continue;
    variables[found[1]] = unquote(found[2] ?? '');
  }
  return variables;
}

function unquote(value: string): string {
  const single = /^'([^']*)'(?:\s+#.*)?$/.exec(value);
  if (single !== null) return single[1] ?? '';
  const double = /^"((?:\\.|[^"\\])*)"(?:\s+#.*)?$/.exec(value);
  if (double !== null) {
    return (double[1] ?? '').replace(/\\([n"\\])/g, (_, c: string) => (c === 'n' ? '\n' : c));
  }
  return value.replace(/(?:^|\s+)#.*$/, '');
}
