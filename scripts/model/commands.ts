import type { Command } from './command.ts';
import { keygen } from './keygen.ts';
import { sign } from './sign.ts';
import { verify } from './verify.ts';

/** All commands, in the order in which one needs them. */
export const COMMANDS: readonly Command[] = [keygen, sign, verify];
