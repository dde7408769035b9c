import { renderCpio } from '../archive/cpio.ts';

/** `probe-init.S`, assembled and linked. */
const PROGRAM =
  'f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAeABAAAAAAABAAAAAAAAAAOAAAAAAAAAAAAAAAEAAOAABAEAAAwACAAEAAAAHAAAAeAAAAAAA' +
  'AAB4AEAAAAAAAHgAQAAAAAAAVAAAAAAAAABUAAAAAAAAAAEAAAAAAAAAuAEAAAC/AQAAAEiNNR8AAAC6JAAAAA8FuKkAAAC/rd7h/r5p' +
  'GRIoutz+IUMPBev+YSBwcm9ncmFtIHJhbiB1bmRlciBVc2VyLU1vZGUgTGludXgKAC5zaHN0cnRhYgAudGV4dAAAAAAAAAAAAAAAAAAA' +
  'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACwAAAAEAAAAHAAAAAAAAAHgAQAAAAAAA' +
  'eAAAAAAAAABUAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAEAAAADAAAAAAAAAAAAAAAAAAAAAAAAAMwAAAAAAAAAEQAAAAAA' +
  'AAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAA=';

/** What it prints when it came all the way. */
export const PROBE_TEXT = 'a program ran under User-Mode Linux';

/** An initial file system that holds the probe's program as /init. */
export const probeInitramfs = (): Buffer =>
  renderCpio([
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'file', path: 'init', mode: 0o755, content: Buffer.from(PROGRAM, 'base64') },
  ]);
