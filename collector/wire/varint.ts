// Protobuf's numbers of as many bytes as they need; below 2^53 here.

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Where there is room for it; gives where the next byte stands. */
export function writeVarint(to: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    to[next++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  to[next++] = rest;
  return next;
}
