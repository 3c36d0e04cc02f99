// Its answers; what else may go wrong stands in test/contract/faults.ts, for every output that uses it.

import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { HttpClient } from "../../../collector/output/http-client.ts";
import { listenLocally } from "../../support/listen.ts";

let server: Server;
let client: HttpClient;

afterEach(async () => {
  client.close();
  await new Promise((resolve) => server.close(resolve));
});

test("answers that come at the same time in many pieces are each whole, and stay so", async () => {
  const bytes = 300_000;
  server = createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-length": bytes });
      const piece = (left: number): void => {
        if (left === 0) return void response.end();
        response.write(request.url!.slice(1).repeat(10_000));
        setImmediate(piece, left - 10_000);
      };
      piece(bytes);
    });
  });
  const port = await listenLocally(server);
  const limits = { timeoutMs: 10_000, longestAnswerBytes: 1_000_000 };
  client = new HttpClient({ isTls: false, maxConnections: 4, ...limits });
  const letters = Array.from("abcdefghijkl");
  const never = new AbortController().signal;
  const answers = await Promise.all(
    letters.map((letter) => {
      const url = new URL(`http://127.0.0.1:${port}/${letter}`);
      return client.send({ method: "POST", url, headers: {}, body: [Buffer.from("x")] }, never);
    }),
  );
  const bodies = answers.map((answer) => (answer.kind === "answer" ? String(answer.body) : answer));
  expect(bodies).toEqual(letters.map((letter) => letter.repeat(bytes)));
});
