// Texts that are equal are kept once: many senders and metrics have series with the same attributes. Of
// 100,000 series of a hundred senders, half of the memory was such texts.

/** Characters. Only while this remembers a text another one finds it, so new senders at about the same time do. */
const mostLength = 1 << 20;

export class SharedTexts {
  readonly #texts = new Map<string, string>();
  #length = 0;

  /** The same text, perhaps as it was given before. */
  of(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#length + text.length > mostLength) {
      this.#texts.clear();
      this.#length = 0;
    }
    this.#texts.set(text, text);
    this.#length += text.length;
    return text;
  }
}
