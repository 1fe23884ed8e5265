/** From checked stages to a running chain of operators. */
import type { Observable } from 'rxjs';
import type { CheckedStage } from '../config/lint.js';
import type { Parcel } from '../engine/ports.js';
import type { Run } from '../engine/run.js';
import { attach, attachSource, declare, type OperatorDefinition } from '../engine/stage.js';
import { operatorsByName } from './registry.js';

/** Declares the stages in the run, in their order, and joins them with `pipe`. Nothing starts before it is subscribed. */
export function compile(stages: readonly CheckedStage[], run: Run): Observable<Parcel<unknown>> {
  const [first, ...rest] = stages.map(({ operator, options }) =>
    declare(operatorsByName.get(operator) as OperatorDefinition, options),
  );
  if (first === undefined) throw new TypeError('a pipeline needs stages');
  return rest.reduce(
    (stream, stage) => stream.pipe(attach<unknown, unknown>(run, stage)),
    attachSource<unknown>(run, first),
  );
}
