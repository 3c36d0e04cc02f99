// The Huffman code of HPACK (RFC 7541, appendix B), read four bits at a time.
//
// The code is canonical: among codes of one length they count up with the symbol, so the lengths are all
// that has to be known. From them a tree is made, and from the tree a table with a row for each inner
// node and a column for each half byte that may follow. The shortest code has five bits, so half a byte
// completes one symbol at most.

import { ConnectionError, errorCodes } from "./protocol.ts";

/** Of the symbols 0 to 256, in base 36. The last is the end of the string, which is never sent. */
const codeLengths =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6" +
  "f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmnlmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";
const endOfString = 256;
const innerNodes = 256;

// An entry of the table: the node that comes next, and the symbol that was completed, if one was.
const nextMask = 0xff;
const symbolShift = 8;
const isSymbol = 0x1_0000;
const isInvalid = 0x2_0000;

let table: Int32Array | undefined;
let mayEnd: Uint8Array | undefined;

/** Writes what the code says to `into`, which must hold 8/5 of it, and returns how many bytes that is. */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
): number {
  if (!table) build();
  const steps = table!;
  let node = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    for (let half = byte >> 4, turn = 0; turn < 2; half = byte & 15, turn++) {
      const step = steps[node * 16 + half]!;
      if (step & isInvalid) throw invalid("the end of a string is in the middle of it");
      if (step & isSymbol) into[length++] = (step >> symbolShift) & 0xff;
      node = step & nextMask;
    }
  }
  if (mayEnd![node] === 0) throw invalid("a string ends in the middle of a symbol");
  return length;
}

function invalid(what: string): ConnectionError {
  return new ConnectionError(errorCodes.compression, `Huffman code: ${what}`);
}

/** When it is first needed: many senders never use it. */
function build(): void {
  const children = buildTree();
  table = new Int32Array(innerNodes * 16);
  for (let node = 0; node < innerNodes; node++) {
    for (let half = 0; half < 16; half++) table[node * 16 + half] = walk(children, node, half);
  }
  // What follows the last symbol is the beginning of the longest code, less than a byte of it: ones.
  mayEnd = new Uint8Array(innerNodes);
  for (let node = 0, ones = 0; ones < 8; ones++) {
    mayEnd[node] = 1;
    node = children[node * 2 + 1]!;
  }
}

/** Two children for each inner node: another inner node, or ~symbol. */
function buildTree(): Int16Array {
  const lengths = Array.from(codeLengths, (digit) => Number.parseInt(digit, 36));
  const symbols = lengths.map((_, symbol) => symbol);
  symbols.sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const children = new Int16Array(innerNodes * 2);
  let nodes = 1;
  let code = 0;
  let codeLength = 0;
  for (const symbol of symbols) {
    const length = lengths[symbol]!;
    code <<= length - codeLength;
    codeLength = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const branch = node * 2 + ((code >> bit) & 1);
      if (children[branch] === 0) children[branch] = nodes++;
      node = children[branch]!;
    }
    children[node * 2 + (code & 1)] = ~symbol;
    code++;
  }
  return children;
}

function walk(children: Int16Array, from: number, half: number): number {
  let node = from;
  let symbol = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[node * 2 + ((half >> bit) & 1)]!;
    if (child === ~endOfString) return isInvalid;
    if (child < 0) symbol = isSymbol | (~child << symbolShift);
    node = child < 0 ? 0 : child;
  }
  return symbol | node;
}
