// Lengths and varints of protobuf, in AssemblyScript.

/** Of the value that `enter` stands before. */
export let length: usize = 0;
export let value: u64 = 0;

/** Reads a length of up to three bytes; 0 if it is longer. */
export function enter(from: usize): usize {
  let at = from;
  length = load<u8>(at++);
  if (length < 0x80) return at;
  const second: usize = load<u8>(at++);
  length = (length & 0x7f) | ((second & 0x7f) << 7);
  if (second < 0x80) return at;
  const third: usize = load<u8>(at++);
  length |= third << 14;
  return third < 0x80 ? at : 0;
}

export function varint(from: usize): usize {
  let at = from;
  let byte: u64 = load<u8>(at++);
  value = byte & 0x7f;
  for (let shift: u64 = 7; byte >= 0x80 && shift < 70; shift += 7) {
    byte = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
  }
  return at;
}
