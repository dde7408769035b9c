const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in an element or in a quoted attribute. Control characters have no place in it. */
export const text = (value: string): string =>
  value.replaceAll(/[\x00-\x08\x0b-\x1f\x7f]/g, '').replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign] ?? '');
