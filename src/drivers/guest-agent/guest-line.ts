import type { Duplex } from 'node:stream';

/** A line of bytes between host and guest, for one command at a time. */
export interface GuestLine {
  /** Device file in the guest; `*` stands for a number. */
  readonly guestPath: string;
  /** The host's end; destroyed, it is lost. */
  readonly stream: Duplex;
  readonly room: LineRoom;
  /** Whether the guest's reader learns that the line was taken back. Where not, it would hear what the next one is told. */
  readonly hangsUp: boolean;
  /** Takes the line back; `clean` when both sides have said goodbye, so that another may use it at once. */
  release(clean: boolean): Promise<void>;
}

/** Bytes that may be on their way at once, in frames: what is more would stop the line, or be lost. */
export interface LineRoom {
  readonly toHost: number;
  readonly toGuest: number;
  /** Longest frame's content to the guest. */
  readonly piece: number;
}

export interface LineProvider {
  openLine(): Promise<GuestLine>;
}
