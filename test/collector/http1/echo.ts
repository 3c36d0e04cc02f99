// A server that notes what it was asked, and answers with the length of the body once it is let.

import { openAccess } from "../../../collector/access.ts";
import type { Application, Body } from "../../../collector/http1/application.ts";
import type { Head } from "../../../collector/http1/head.ts";
import type { Limits } from "../../../collector/http1/limits.ts";
import { Reply } from "../../../collector/http1/reply.ts";
import { type Http1Server, startHttp1 } from "../../../collector/http1/server.ts";
import { Gathering } from "../../../collector/memory/gathering.ts";
import type { Turns } from "../../../collector/memory/turns.ts";
import { spoiled } from "../../support/memory.ts";
import { until } from "../../support/until.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

export class Echo implements Application {
  readonly asked: Asked[] = [];
  abandoned = 0;
  heldBytes = 0;
  maxBytes = Infinity;
  /** Set to keep answers back. */
  gate: Promise<void> | undefined;

  begin(head: Head): Reply | Body {
    if (head.path === "/refused") return new Reply({ status: 404, body: "no" });
    let held = 0;
    const release = (): void => {
      this.heldBytes -= held;
      held = 0;
    };
    return {
      hold: (bytes) => {
        if (held + bytes > this.maxBytes) {
          release();
          return new Reply({ status: 413, body: "large" });
        }
        held += bytes;
        this.heldBytes += bytes;
        return undefined;
      },
      end: async (bytes) => {
        this.asked.push({ method: head.method, path: head.path, body: bytes.toString("latin1") });
        await this.gate;
        release();
        return new Reply({ status: 200, body: String(bytes.length) });
      },
      abandon: () => {
        this.abandoned++;
        release();
      },
    };
  }

  async askedFor(count: number): Promise<void> {
    await until(`${count} requests`, () => this.asked.length >= count);
  }
}

export async function startEcho(
  limits: Partial<Limits> = {},
  turns?: Turns,
): Promise<[Echo, Http1Server]> {
  const application = new Echo();
  const where = { host: "127.0.0.1", port: 0, setting: "otlp_http_port" };
  const gathering = new Gathering(spoiled(), turns);
  const server = await startHttp1({ where, access: openAccess, application, limits, gathering });
  return [application, server];
}
