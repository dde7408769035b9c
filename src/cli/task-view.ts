import type { TaskState } from '../contract/tasks.ts';
import type { Tone } from './output/style.ts';

const TONES: Readonly<Record<TaskState, Tone>> = {
  running: 'cyan',
  done: 'green',
  failed: 'red',
  cancelled: 'yellow',
};
export const taskTone = (state: TaskState): Tone => TONES[state];
