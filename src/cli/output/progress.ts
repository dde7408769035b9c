import { formatSize } from '../../contract/size-text.ts';
import type { Progress } from '../../contract/tasks.ts';
import { formatDuration } from './duration.ts';
import { sanitizeLine } from './sanitize.ts';
import { plainStyle, type Style } from './style.ts';
import { padEnd, textWidth, truncate } from './width.ts';

export interface ProgressLook {
  readonly width: number;
  readonly unicode: boolean;
  /** Counts the redraws: turns the spinner. */
  readonly frame: number;
  readonly style?: Style;
}

const UNICODE = { spinner: '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏', done: '✓', failed: '✗', waiting: '·', full: '━', empty: '─' };
const ASCII = { spinner: '|/-\\', done: '+', failed: 'x', waiting: '.', full: '#', empty: '-' };
const BAR = 20;

/** Lines of a task's tree of progress: state, name, bar, amount, rate and time left. */
export function renderProgress(progress: Progress, look: ProgressLook): string[] {
  return renderNode(progress, look, 0);
}

function renderNode(node: Progress, look: ProgressLook, depth: number): string[] {
  // A finished part's parts are history.
  const open = node.state === 'done' && depth > 0 ? [] : node.children;
  const labels = Math.max(0, ...open.map((child) => textWidth(sanitizeLine(child.name))));
  return [
    renderLine(node, look, depth, textWidth(node.name)),
    ...open.flatMap((child) => {
      const [first, ...rest] = renderNode(child, look, depth + 1);
      return first === undefined ? rest : [renderLine(child, look, depth + 1, labels), ...rest];
    }),
  ];
}

function renderLine(node: Progress, look: ProgressLook, depth: number, labelWidth: number): string {
  const style = look.style ?? plainStyle;
  const indent = '  '.repeat(depth);
  const room = look.width - indent.length - 3;
  const name = truncate(sanitizeLine(node.name), room);
  const tail = node.state === 'running' ? measure(node, look) : '';
  const message = node.state === 'failed' || node.state === 'running' ? sanitizeLine(node.message ?? '') : '';
  const label = tail === '' && message === '' ? name : padEnd(name, Math.min(labelWidth, room));
  const left = room - textWidth(label);
  const extra = truncate([tail, message].filter((part) => part !== '').join('  '), Math.max(0, left - 2));
  return `${indent}${mark(node, look)} ${label}${extra === '' ? '' : `  ${style('dim', extra)}`}`;
}

function mark(node: Progress, look: ProgressLook): string {
  const style = look.style ?? plainStyle;
  const signs = look.unicode ? UNICODE : ASCII;
  switch (node.state) {
    case 'done':
      return style('green', signs.done);
    case 'failed':
      return style('red', signs.failed);
    case 'waiting':
      return style('dim', signs.waiting);
    case 'running':
      return style('cyan', [...signs.spinner][look.frame % [...signs.spinner].length] ?? ' ');
  }
}

function measure(node: Progress, look: ProgressLook): string {
  const { done, total, unit, rate, secondsLeft } = node;
  if (done === undefined) return '';
  const signs = look.unicode ? UNICODE : ASCII;
  const amount = (value: number): string =>
    unit === 'bytes' ? formatSize(value) : String(Math.round(value * 10) / 10);
  const parts: string[] = [];
  if (total !== undefined && total > 0) {
    const share = Math.min(1, Math.max(0, done / total));
    const filled = Math.round(share * BAR);
    if (look.width >= 60) parts.push(signs.full.repeat(filled) + signs.empty.repeat(BAR - filled));
    parts.push(`${Math.floor(share * 100)}%`.padStart(4));
    if (unit !== 'percent') parts.push(`${amount(done)}/${amount(total)}`);
  } else {
    parts.push(unit === 'percent' ? `${amount(done)}%` : amount(done));
  }
  if (rate !== undefined && rate > 0 && unit !== 'percent') parts.push(`${amount(rate)}/s`);
  if (secondsLeft !== undefined) parts.push(`${formatDuration(secondsLeft)} left`);
  return parts.join('  ');
}
