import { DEFAULT_STATE, DEFAULT_TEMPLATE } from './arguments.ts';

const template = `  -t, --template <file>   deployment template (default ${DEFAULT_TEMPLATE})
  -m, --manifest <file>   a generated manifest instead of a template
  -e, --env <file>        variables (default .env beside the template; the shell's win)
  -p, --platform <name>   amd64, arm64v8 or arm32v7 (default amd64)`;
const state = `  -s, --state <folder>    keys, queues, volumes, logs (default ${DEFAULT_STATE})`;

export const HELP = `The local edge: runs an IoT Edge deployment on this machine, without Docker and without Azure.

Usage: npm run edge -- <command> [options]

  up          start a deployment and follow its logs; Ctrl-C stops it
  manifest    make a deployment manifest from a template
  validate    check a template or manifest and all that belongs to it

  of an edge that is up:
  ps          modules with state, process and address
  logs        kept log lines of a module
  method      call a direct method
  twin        show or change the twin of a module
  link        take the way to the cloud away, or give it back
  restart     restart a module

npm run edge -- <command> --help says more.`;

/** By command. */
export const COMMAND_HELP: Readonly<Record<string, string>> = {
  up: `Starts a deployment and follows its logs; Ctrl-C stops it.

Usage: npm run edge -- up [options]

${template}
${state}
      --modules <folder>  one more folder to look for modules in; may be repeated
      --device <id>       lets a leaf device connect to the hub and shows its connection string; may be repeated
      --backoff-scale <n> factor on the waits before a restart, 10 s and doubling (default 1)

A second "up" with the same state folder goes on where the first ended. Exit codes: 0 stopped by the user,
1 the deployment cannot run, 2 wrong command line.`,
  manifest: `Makes a deployment manifest from a template, as the IoT Edge tools do.

Usage: npm run edge -- manifest [options]

${template
  .split('\n')
  .filter((line) => !line.includes('--manifest'))
  .join('\n')}
  -o, --out <file>        where to (default config/deployment.<platform>.json; - is standard output)

The manifest holds the values of all variables, secrets too. Exit codes: 0 written, 1 refused, 2 wrong command line.`,
  validate: `Checks a template or manifest, its routes, modules and variables; says everything that is wrong at once.

Usage: npm run edge -- validate [options]

${template}

Exit codes: 0 nothing is wrong (there can be warnings), 1 something is, 2 wrong command line.`,
  ps: `Shows the modules of an edge that is up.

Usage: npm run edge -- ps [options]

${state}`,
  logs: `Shows kept log lines of a module, or of edgeHub.

Usage: npm run edge -- logs <module> [options]

${state}
      --tail <n>          last lines only
      --since <time>      ISO 8601, or a span such as 10m
      --level <n>         syslog level and more severe: 3 error, 4 warning, 6 info, 7 debug
      --regex <pattern>   lines that match`,
  method: `Calls a direct method of a module, or of edgeAgent (ping, RestartModule, GetModuleLogs).

Usage: npm run edge -- method <module> <name> [payload as JSON] [options]

${state}`,
  twin: `Shows the twin of a module; with a patch, merges it into the desired properties first.

Usage: npm run edge -- twin <module> [patch as JSON] [options]

${state}`,
  link: `Takes the way from the edge to the IoT hub stand-in away, or gives it back.

Usage: npm run edge -- link up|down [options]

${state}`,
  restart: `Restarts a module, or edgeHub.

Usage: npm run edge -- restart <module> [options]

${state}`,
};
