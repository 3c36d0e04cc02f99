// What the server serves: all that somebody who takes requests has to know of how they come in.

import type { Head } from "./head.ts";
import type { Reply } from "./reply.ts";

export interface Application {
  /** Called once a head has come. A reply ends the request there and then, whatever follows of it. */
  begin(head: Head, length: number | undefined): Reply | Body;
}

/** Of one request. After a reply, or `abandon`, nothing more is asked of it. */
export interface Body {
  /** Asked before so many more bytes are kept. A reply refuses them, and what would come after. */
  hold(bytes: number): Reply | undefined;
  /**
   * All that has come. The buffer is lent: one below `copiedBelowBytes` for the call, so that what is
   * needed after an await must be copied, a larger one until the reply.
   */
  end(bytes: Buffer): Promise<Reply>;
  /** Neither `end` nor a refusal will come: the client has gone, or what it sent is not HTTP. */
  abandon(): void;
}
