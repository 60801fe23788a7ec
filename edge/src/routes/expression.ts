/** What an expression yields: `undefined` is the language's own "not there", which also stands for "unknown" in logic. */
export type Value = string | number | boolean | null | undefined;

export type ArithmeticOperator = '*' | '/' | '%' | '+' | '-';
export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | '||' | 'and' | 'or' | '??';

export interface BodyStep {
  name: string;
  index?: number;
}

/** A condition as a tree. `offset` is where it begins in the route, or its operator for operations. */
export type Expression =
  | { kind: 'literal'; value: Value; offset: number }
  /** Application property. */
  | { kind: 'property'; name: string; offset: number }
  /** `$name`: the application property of that very name, else the system property `name`. */
  | { kind: 'dollar'; name: string; offset: number }
  /** `{$name}`. */
  | { kind: 'system'; name: string; offset: number }
  /** `$body.path`; an application property literally called so wins unless it was written in braces. */
  | { kind: 'body'; text: string; steps: BodyStep[]; escaped: boolean; offset: number }
  | { kind: 'call'; name: string; args: Expression[]; offset: number }
  | { kind: 'unary'; operator: 'not' | '-'; operand: Expression; offset: number }
  | {
      kind: 'binary';
      operator: BinaryOperator;
      left: Expression;
      right: Expression;
      offset: number;
    };
