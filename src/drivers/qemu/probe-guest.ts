/** `probe-guest.S`, assembled. */
const CODE =
  '+i5mDwEWZv8PIMAMAQ8iwGbqGP4PAAgAZrgQAI7YjsCO0DHAvwAQAAC5AAwAAPzzq8cFABAAAAcgAADHBQAgAAAHMAAAxwUA' +
  'MAAAhwAAAA8g4IPIIA8i4LgAEAAADyLYuYAAAMAPMg0BAQAADzAPIMANAAAAgA8iwOqA/g8AGABIuIh3ZlVEMyIRSMHoIEg9' +
  'RDMiEXVKZrggAI7QuYEAAMAxwLoYABgADzC5ggAAwLji/g8AMdIPMLmEAADAMcAPMLwAgAAAaitoAIAAAGoCajO42f4PAFBI' +
  'z7taAAAADwXr/oP7WnU9uCf/GACJBCXgQAAAuACODwCJBCXkQAAAxwQl6EAAAAAAAADHBCXsQAAAAAAAAA8BHCVc/w8AuAAA' +
  'QACLAPTr/Q8g0Eg9AABAAHXyvkr/DwBmuukArITAdAPu6/iwEOb09Ov9NjQtYml0IGd1ZXN0IHJhbgCQ/w8AQAAAAAAAADcA' +
  'bP8PAAAAAAAAAAAA//8AAACbzwD//wAAAJPPAP//AAAAm68A//8AAACTzwD//wAAAPPPAP//AAAA+68A';

const IMAGE_SIZE = 0x10000;
const CODE_OFFSET = 0xfe00;
const RESET_OFFSET = 0xfff0;
/** jmp from the reset vector to the code (Intel SDM, volume 3, "Processor State After Reset"). */
const RESET_JUMP = [0xe9, 0x0d, 0xfe];
const HLT = 0xf4;

/** What the guest prints when it came all the way. */
export const PROBE_GUEST_TEXT = '64-bit guest ran';
/** QEMU's exit code when the guest ends it: value 0x10 of isa-debug-exit, shifted left, plus one. */
export const PROBE_GUEST_EXIT_CODE = 0x21;

/** A firmware image for QEMU's -bios. */
export function probeGuestImage(): Buffer {
  const image = Buffer.alloc(IMAGE_SIZE, HLT);
  image.write(CODE, CODE_OFFSET, 'base64');
  image.set(RESET_JUMP, RESET_OFFSET);
  return image;
}
