import { ERROR_CODES, ERRORS } from '../../src/contract/error-table.ts';
import { page, renderMarkdownTable } from './markdown.ts';

/** Every error with its HTTP status, exit code and remedy. */
export const renderErrorsPage = (): string =>
  page(
    '# Errors',
    'Every failed request is answered with `{"error": {"code", "message", "remedy", "details"}}`; the command line prints the same with `--json`, and exits with the code below.',
    renderMarkdownTable(
      ['code', 'fault of', 'HTTP status', 'exit code', 'meaning', 'remedy, unless a better one is known'],
      ERROR_CODES.map((code) => {
        const { kind, httpStatus, exitCode, meaning, remedy } = ERRORS[code];
        return [`\`${code}\``, kind, String(httpStatus), String(exitCode), meaning, remedy];
      }),
    ),
  );
