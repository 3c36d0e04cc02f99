// What quick-record.ts and quick-record.assembly.ts both go by. Numbers only, since the latter is not
// compiled as TypeScript.

// Where things lie in the memory they share. What lies before the first of them stays zero: a place, of
// those below, in which no attribute is found.
/** What `write` is told and tells, four bytes each: see there. */
export const mostAt = 16;
export const enoughAt = 20;
export const readAt = 24;
/** Addresses of the texts below, four bytes each. */
export const textsAt = 64;
/** Powers of five, eight bytes each, and how many. */
export const fivesAt = 256;
export const fives = 24;
/** The texts, each with its length before it, and the names that are not for the quick writer. */
export const wordsAt = 512;
/** The attributes of the record being written: where each begins and ends. */
export const pairsAt = 8 << 10;
/** Where documents end, counted from the first one, four bytes each. */
export const endsAt = 12 << 10;
export const mostEnds = 1024;
/** What every document of a group has before its own part, and behind it. */
export const actionAt = 16 << 10;
export const tailAt = 32 << 10;
/** Attributes that were written before; what stands before the first of them is a place of none. */
export const knownAt = 64 << 10;
export const requestAt = 128 << 10;
export const requestBytes = 1 << 20;
/** So much may be read behind a text, and written behind a record. */
export const slackBytes = 256;
/** Documents: as many as a request may have, and the one that makes it full. */
export const documentsAt = requestAt + requestBytes + slackBytes;
export const documentsBytes = 9 << 20;
export const documentsEnd = documentsAt + documentsBytes;

/** A control character becomes \u0000; nothing grows more. */
export const mostGrowth = 6;
/** Names of fields, times and the like. */
export const mostFixedBytes = 1024;

/** More attributes than that are for the thorough writer. */
export const mostPairs = 64;
export const pairBytes = 8;

// Attributes that were written before, each in a place of its own. From its beginning on, four bytes each:
export const knownPlaces = 256;
export const knownBytes = 256;
/** the record that had it last; */
export const recordAt = 0;
/** of it as it came, the length of tag, length and name, */
export const nameSizeAt = 4;
/** and of all of it, 0 where only its name is known; */
export const sizeAt = 8;
/** of it as JSON, the length of name and colon, */
export const jsonNameSizeAt = 12;
/** and of all of it; */
export const jsonSizeAt = 16;
/** the place of the attribute that stood behind it. */
export const behindAt = 20;
/** Then it as it came, with so long a name at most, */
export const cameAt = 32;
export const cameBytes = 96;
export const mostNameBytes = 62;
/** and as JSON. */
export const jsonAt = 128;
export const jsonBytes = 128;

// The texts that stand between values, by their numbers.
export const behindId = 0;
export const observed = 1;
export const severityNumber = 2;
export const severityText = 3;
export const traceId = 4;
export const spanId = 5;
export const eventName = 6;
export const beforeBody = 7;
export const behindBody = 8;
export const attributes = 9;
export const droppedAttributes = 10;
/** The 24 names of levels, with the name of the field. */
export const severityNames = 11;
export const texts = severityNames + 24;
