// How much a peer may ask for that brings nobody forward: pings, settings, resets, empty frames. Frames
// of this kind cost us more than their sender, which is what the floods against HTTP/2 live on (rapid
// reset among them). A bucket is emptied by them and filled by time and by requests that were answered.

import { ConnectionError, errorCodes } from "./protocol.ts";

const most = 1_000;
const perSecond = 100;
/** Some Go clients ping once for every answer, to measure the bandwidth: it earns more than that. */
export const perAnswer = 4;

export class Patience {
  #left = most;
  #filledAtMs = performance.now();

  spend(cost = 1): void {
    this.#left -= cost;
    if (this.#left >= 0) return;
    const nowMs = performance.now();
    this.#fill(((nowMs - this.#filledAtMs) * perSecond) / 1000);
    this.#filledAtMs = nowMs;
    if (this.#left >= 0) return;
    const what = `too many frames that ask for nothing: ${perSecond} a second are patiently taken`;
    throw new ConnectionError(errorCodes.enhanceYourCalm, what);
  }

  earn(amount: number): void {
    this.#fill(amount);
  }

  #fill(amount: number): void {
    this.#left = Math.min(most, this.#left + amount);
  }
}
