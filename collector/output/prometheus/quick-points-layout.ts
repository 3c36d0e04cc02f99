// What quick-points.ts and quick-points.assembly.ts both go by. Numbers only, since the latter is not
// compiled as TypeScript.

// Where things lie in the memory they share.
/** Of a histogram, the bounds that are expected: doubles. */
export const boundsAt = 1 << 10;
/** The attributes that are expected of each point: length u32 │ bytes */
export const expectedAt = 16 << 10;
export const expectedBytes = 240 << 10;
/** A stretch of the batch. */
export const stretchAt = 512 << 10;
export const stretchBytes = 1 << 20;
/** What was read: a record of doubles for each point. */
export const recordsAt = 256 << 10;
export const recordsBytes = 128 << 10;

// The numbers in a record; the counts of a histogram's buckets come last.
/** Where the point lies. */
export const pointStart = 0;
export const pointEnd = 1;
export const began = 2;
export const time = 3;
/** Of a histogram its count. */
export const value = 4;
export const sum = 5;
export const counts = 6;
