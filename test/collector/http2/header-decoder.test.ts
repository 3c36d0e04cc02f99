import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { HeaderDecoder, type HeaderList } from "../../../collector/http2/header-decoder.ts";
import { encodeHeaders, noTable } from "../../../collector/http2/header-encoder.ts";

const listBytes = 16_384;

let decoder: HeaderDecoder;
beforeEach(() => {
  decoder = new HeaderDecoder(listBytes);
});

interface Decoded {
  readonly headers: readonly string[];
  readonly list: HeaderList;
}

function decode(block: string | Buffer): Decoded {
  const bytes = typeof block === "string" ? Buffer.from(block, "hex") : block;
  const headers: string[] = [];
  const list = decoder.decode(bytes, [0, bytes.length], {
    header: (name, value) => headers.push(`${name}: ${value}`),
  });
  return { headers, list };
}

const get = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const getAgain = [...get, "cache-control: no-cache"];
const getOther = [
  ":method: GET",
  ":scheme: https",
  ":path: /index.html",
  ":authority: www.example.com",
  "custom-key: custom-value",
];
const answered = (status: number, second: number): string[] => [
  `:status: ${status}`,
  "cache-control: private",
  `date: Mon, 21 Oct 2013 20:13:${second} GMT`,
  "location: https://www.example.com",
];
const answeredThird = [
  ...answered(200, 22),
  "content-encoding: gzip",
  "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];
/** The answers of the examples are for a table of 256 bytes, from which entries fall out. */
const table256 = "3fe101";

describe("the examples of RFC 7541, appendix C", () => {
  test.each([
    ["C.2.1", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header"],
    ["C.2.2", "040c2f73616d706c652f70617468", ":path: /sample/path"],
    ["C.2.3", "100870617373776f726406736563726574", "password: secret"],
    ["C.2.4", "82", ":method: GET"],
  ])("%s: one header", (_, hex, header) => {
    expect(decode(hex)).toEqual({ headers: [header], list: "complete" });
  });

  test.each([
    [
      "C.3: requests",
      [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
      [get, getAgain, getOther],
    ],
    [
      "C.4: requests in Huffman code",
      [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
      [get, getAgain, getOther],
    ],
    [
      "C.5: answers, entries falling out of the table",
      [
        `${table256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a` +
          "323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d" +
          "4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b207665" +
          "7273696f6e3d31",
      ],
      [answered(302, 21), answered(307, 21), answeredThird],
    ],
    [
      "C.6: the same in Huffman code",
      [
        `${table256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad` +
          "171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdf" +
          "cd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
      [answered(302, 21), answered(307, 21), answeredThird],
    ],
  ])("%s", (_, blocks, lists) => {
    expect(blocks.map((block) => decode(block).headers)).toEqual(lists);
  });
});

test("an entry stays as long as all fit exactly, and falls out for one byte more", () => {
  const entry = (name: string, value: string): string =>
    Buffer.concat([
      Buffer.from([0x40, 1]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]).toString("hex");
  decode(table256 + entry("a", "x".repeat(95)) + entry("b", "y".repeat(95))); // 128 each
  expect(decode("bf").headers).toEqual([`a: ${"x".repeat(95)}`]);
  decode(`3f60${entry("c", "z")}`); // room for 127
  expect(decode("be").headers).toEqual(["c: z"]);
  expect(() => decode("bf")).toThrow("no entry 63");
  decode(table256 + entry("a", "x".repeat(95)) + entry("b", "y".repeat(96)));
  expect(() => decode("bf")).toThrow("no entry 63");
});

describe("what ends the connection", () => {
  test.each([
    ["an index of nothing", "80", "no entry 0 in the table"],
    ["an index behind the table", "be", "no entry 62 in the table"],
    ["a name behind the table", "7f0001", "no entry 63 in the table"],
    ["a string that is cut off", "000a6162", "ends in the middle"],
    ["a name without a value", "000161", "ends in the middle"],
    ["an index that is cut off", "ff", "ends in the middle"],
    ["a number without end", "ffffffffffffffff", "more than 28 bits"],
    ["a table above the limit", "3fe21f", "a table of 4097 bytes, the limit is 4096"],
    ["a table size behind a header", "8220", "a table size in the middle of a block"],
    ["a bad Huffman string", "0084ffffffff00", "Huffman"],
  ])("%s", (_, hex, message) => {
    expect(() => decode(hex)).toThrow(message);
  });

  test("a table at the limit does not", () => {
    expect(decode("3fe11f82")).toEqual({ headers: [":method: GET"], list: "complete" });
  });
});

describe("what costs its own request only", () => {
  test.each([
    ["upper case in a name", "0001580179"],
    ["a space in a name", "000220610179"],
    ["a name of nothing", "00000179"],
  ])("%s: malformed", (_, hex) => {
    expect(decode(hex).list).toBe("malformed");
    expect(decode("82").list).toBe("complete");
  });

  test("a name that is none is so again when it comes from the table", () => {
    expect(decode("4001410161").list).toBe("malformed");
    expect(decode("be").list).toBe("malformed");
    expect(decode("7e0162").list).toBe("malformed");
    expect(decode("82").list).toBe("complete");
  });

  test("a list at the limit is taken, above it is not, and the table stays right", () => {
    const atLimit = encodeHeaders([["a", "x".repeat(listBytes - 33)]]);
    const above = encodeHeaders([["a", "x".repeat(listBytes - 32)]]);
    expect(decode(atLimit).list).toBe("complete");
    const kept = Buffer.concat([above, Buffer.from("40016101624001630164", "hex")]);
    expect(decode(kept)).toEqual({ headers: [], list: "too_large" });
    expect(decode("bebf").headers).toEqual(["c: d", "a: b"]);
  });

  test("a bomb: a long entry named thousands of times is not handed on", () => {
    const name = "n".repeat(2_000);
    const entry = Buffer.concat([Buffer.from([0x40]), literal(name), literal("v".repeat(2_000))]);
    expect(decode(entry).list).toBe("complete");
    const { headers, list } = decode(Buffer.alloc(16_000, 0xbe));
    expect(list).toBe("too_large");
    expect(headers.length).toBe(Math.floor(listBytes / (4_000 + 32)));
  });
});

describe("what we write", () => {
  const header = fc.tuple(
    fc.stringMatching(/^[a-z][a-z0-9-]{0,200}$/),
    fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    }),
  );

  test("is read back, at any time and in any order", () => {
    fc.assert(
      fc.property(fc.array(header, { maxLength: 20 }), (headers) => {
        const { headers: read, list } = decode(Buffer.concat([noTable, encodeHeaders(headers)]));
        expect(list).toBe("complete");
        expect(read).toEqual(headers.map(([name, value]) => `${name}: ${value}`));
      }),
    );
  });

  test("is short where the static table has it", () => {
    expect(encodeHeaders([[":status", "200"]]).toString("hex")).toBe("88");
    expect(encodeHeaders([[":method", "POST"]]).toString("hex")).toBe("83");
  });

  test("marks a secret, so that it goes into no table on the way", () => {
    expect(encodeHeaders([["authorization", "x"]])[0]! & 0xf0).toBe(0x10);
  });
});

function literal(text: string): Buffer {
  const mask = 0x7f;
  const rest = text.length - mask;
  return Buffer.concat([Buffer.from([mask, (rest & 0x7f) | 0x80, rest >> 7]), Buffer.from(text)]);
}

test("any bytes at all are read or refused, and cost no more than they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      const fresh = new HeaderDecoder(1_000);
      let size = 0;
      try {
        fresh.decode(Buffer.from(bytes), [0, bytes.length], {
          header: (name, value) => (size += name.length + value.length + 32),
        });
      } catch (error) {
        expect(error).toMatchObject({ name: "ConnectionError" });
      }
      expect(size).toBeLessThanOrEqual(1_000);
    }),
    { numRuns: 2_000 },
  );
});
