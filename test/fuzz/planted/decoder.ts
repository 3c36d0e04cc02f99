// Two decoders with a bug each: what the fuzzer itself is tested with. Both read records of a type, a
// length and content. The first has its bug behind conditions that must be met one after the other.

export function readNames(bytes: Uint8Array): number {
  return records(bytes, (type, name) => {
    if (type !== 0x42 || name[0] !== 0x73) return;
    if (name[1] !== 0x6f) return;
    if (name[2] !== 0x6e) return;
    if (name[3] === 0x64) throw new TypeError("the planted bug");
  });
}

export function readSteps(bytes: Uint8Array): number {
  return records(bytes, (_type, steps) => {
    for (let at = 0; at < steps.length;) at += steps[at]! & 7; // without end where these bits are zero
  });
}

function records(bytes: Uint8Array, read: (type: number, content: Uint8Array) => void): number {
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) throw new RangeError("cut off");
    read(bytes[at]!, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return count;
}
