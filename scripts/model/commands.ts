import type { Command } from './command.ts';
import { inspect } from './inspect.ts';
import { keygen } from './keygen.ts';
import { pack } from './pack.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { score } from './score.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

/** All commands, in the order in which one needs them. */
export const COMMANDS: readonly Command[] = [
  pack,
  keygen,
  sign,
  verify,
  inspect,
  score,
  push,
  pull,
];
