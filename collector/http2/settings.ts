// What a peer has told us about itself with SETTINGS (RFC 9113, section 6.5).

import {
  ConnectionError,
  defaultWindowBytes,
  errorCodes,
  maxFrameBytes,
  maxWindowBytes,
  settingIds,
} from "./protocol.ts";

const largestFrameBytes = (1 << 24) - 1;

export class PeerSettings {
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindowBytes = defaultWindowBytes;
  maxFrameBytes = maxFrameBytes;

  /** The payload of a SETTINGS frame. What we do not know, and what only concerns itself, is passed over. */
  read(bytes: Buffer, start: number, end: number): void {
    if ((end - start) % 6 !== 0) {
      throw new ConnectionError(errorCodes.frameSize, "SETTINGS that end in the middle of one");
    }
    for (let at = start; at < end; at += 6) {
      this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
    }
  }

  #set(id: number, value: number): void {
    switch (id) {
      case settingIds.enablePush:
        if (value > 1) throw outOfRange("ENABLE_PUSH", value);
        break;
      case settingIds.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        break;
      case settingIds.initialWindowSize:
        if (value > maxWindowBytes) {
          const what = `SETTINGS: a window of ${value} bytes, the limit is ${maxWindowBytes}`;
          throw new ConnectionError(errorCodes.flowControl, what);
        }
        this.initialWindowBytes = value;
        break;
      case settingIds.maxFrameSize:
        if (value < maxFrameBytes || value > largestFrameBytes) {
          throw outOfRange("MAX_FRAME_SIZE", value);
        }
        this.maxFrameBytes = value;
        break;
      default:
    }
  }
}

function outOfRange(name: string, value: number): ConnectionError {
  return new ConnectionError(errorCodes.protocol, `SETTINGS: ${name} ${value} is out of range`);
}
