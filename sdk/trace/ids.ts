// Ids of traces and spans. They are kept as 32-bit numbers, which is how they are made and what the
// encoder wants; as text they are needed only where they leave the process some other way. Half of the numbers are
// negative: V8 keeps those of 32 bits with a sign in place, and makes an object of each larger one.

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function randomPart(): number {
  return (Math.random() * 0x1_0000_0000) | 0;
}

export function hexOf(part: number): string {
  return (
    hexOfByte[part >>> 24]! +
    hexOfByte[(part >>> 16) & 0xff]! +
    hexOfByte[(part >>> 8) & 0xff]! +
    hexOfByte[part & 0xff]!
  );
}

/** The value of eight hex digits from there, or -1. */
export function partAt(hex: string, start: number): number {
  let part = 0;
  for (let at = start; at < start + 8; at++) {
    const digit = hex.charCodeAt(at);
    let value: number;
    if (digit >= 48 && digit <= 57) value = digit - 48;
    else if (digit >= 97 && digit <= 102) value = digit - 87;
    else if (digit >= 65 && digit <= 70) value = digit - 55;
    else return -1;
    part = part * 16 + value;
  }
  return part;
}

/** Whether it is an id of that many digits and not only zeros. */
export function isId(id: unknown, digits: 16 | 32): id is string {
  if (typeof id !== "string" || id.length !== digits) return false;
  let some = 0;
  for (let start = 0; start < digits; start += 8) {
    const part = partAt(id, start);
    if (part < 0) return false;
    some |= part;
  }
  return some !== 0;
}
