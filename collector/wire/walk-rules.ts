// What the two walks over foreign bytes go by: the one of validate.ts, and quick-walk.assembly.ts. Numbers
// only, since the latter is not compiled as TypeScript.

/** Messages within messages, the request being the first. */
export const maxDepth = 64;

// What is to be done with a value, by the tag before it: field and wire type in one look-up.
export const misplaced = 0; // the field is known, the wire type is not its own
export const varint = 1;
export const eightBytes = 2;
export const fourBytes = 3;
export const text = 4; // from here on with a length before it
export const bytesOfAnyKind = 5;
export const traceId = 6;
export const spanId = 7;
export const nested = 8;
export const attribute = 9;
export const packedVarints = 10;
export const packedEightBytes = 11;
export const description = 12; // a resource or a scope
export const noWireType = 13; // of the two that protobuf has given up, and the two it never had
