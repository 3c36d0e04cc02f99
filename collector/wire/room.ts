// Where what is made of a batch is written. Whoever gives the room says for how long what is in it stays.

/** Memory of so many bytes, whatever is in it. */
export type Room = (bytes: number) => Uint8Array;

/** Stays for as long as somebody refers to it. */
export const ownRoom: Room = (bytes) => new Uint8Array(bytes);
