import { MullionError } from '../../contract/errors.ts';

/** Data that has no equal in the form asked for. */
export const refuse = (message: string, remedy: string): MullionError =>
  new MullionError('conversion_refused', message, { remedy });
