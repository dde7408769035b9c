/** netlink(7): what the kernel says to one message. */
export interface Answer {
  readonly sequence: number;
  /** 0: done. */
  readonly errno: number;
  /** The kernel's own words, where it has some. */
  readonly words: string;
}

const NLMSG_ERROR = 2;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const HEADER = 16;
/** struct nlmsgerr begins with the errno, negative, and the header of the message that is answered. */
const ERROR_SIZE = 4 + HEADER;

/** The answers of one datagram; messages of another kind are passed over. The host's byte order is little-endian. */
export function parseAnswers(datagram: Buffer): Answer[] {
  const answers: Answer[] = [];
  let at = 0;
  while (at + HEADER <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length) break;
    if (datagram.readUInt16LE(at + 4) === NLMSG_ERROR && length >= HEADER + ERROR_SIZE) {
      answers.push(parseAnswer(datagram.subarray(at, at + length)));
    }
    at += align(length);
  }
  return answers;
}

function parseAnswer(message: Buffer): Answer {
  const flags = message.readUInt16LE(6);
  const quoted = (flags & NLM_F_CAPPED) !== 0 ? HEADER : message.readUInt32LE(HEADER + 4);
  const details = (flags & NLM_F_ACK_TLVS) === 0 ? undefined : message.subarray(HEADER + 4 + align(quoted));
  return {
    sequence: message.readUInt32LE(8),
    errno: Math.abs(message.readInt32LE(HEADER)),
    words: details === undefined ? '' : wordsOf(details),
  };
}

function wordsOf(attributes: Buffer): string {
  let at = 0;
  while (at + 4 <= attributes.length) {
    const length = attributes.readUInt16LE(at);
    if (length < 4) break;
    if (attributes.readUInt16LE(at + 2) === NLMSGERR_ATTR_MSG) {
      return attributes
        .subarray(at + 4, at + length)
        .toString()
        .replaceAll('\0', '');
    }
    at += align(length);
  }
  return '';
}

const align = (length: number): number => (length + 3) & ~3;
