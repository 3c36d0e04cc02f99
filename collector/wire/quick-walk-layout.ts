// How the memory of quick-walk.assembly.ts is divided. Numbers only, since it is not compiled as TypeScript.

/** What is larger is rare, and would keep its memory for good. */
export const mostRequestBytes = 1_048_576;

// The memory: actions of unknown fields and plans │ the request │ what may be read behind it │ models
export const requestAt = 65_536;
export const modelsAt = 1_146_880; // 32 KiB behind the longest request

// A model: its length u32, 0 while there is none │ where its fields end, u32 each │ its bytes │ the mask
export const mostModelBytes = 2_048;
export const mostModelFields = 127;
export const boundariesAt = 4;
export const modelAt = 516; // with one behind the last boundary
export const maskAt = 2_580; // sixteen bytes are looked at when one is left
/** There is one for each kind of item: spans, log records, and four of points. */
export const modelBytes = 4_644;
