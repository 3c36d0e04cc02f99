import { describe, expect, test } from "vitest";
import { type EndTurn, Turns } from "../../../collector/memory/turns.ts";
import { until } from "../../support/until.ts";

/** Takes a turn and notes when it begins. */
class Taking {
  readonly begun: string[] = [];
  readonly turns: Turns;

  constructor(longestWaitMs = 60_000) {
    this.turns = new Turns({ mostBytes: 100, longestWaitMs });
  }

  take(name: string, bytes: number): EndTurn {
    return this.turns.take(bytes, () => this.begun.push(name));
  }
}

describe("a turn", () => {
  test("begins at once as long as there is room", () => {
    const taking = new Taking();
    taking.take("a", 60);
    taking.take("b", 40);
    taking.take("c", 1);
    expect(taking.begun).toEqual(["a", "b"]);
  });

  test("of one that is too large for all begins when it is alone", () => {
    const taking = new Taking();
    const end = taking.take("large", 1000);
    taking.take("small", 1);
    expect(taking.begun).toEqual(["large"]);
    end();
    expect(taking.begun).toEqual(["large", "small"]);
  });

  test("comes in the order in which they were asked for, though a smaller one would find room", () => {
    const taking = new Taking();
    const endFirst = taking.take("a", 80);
    const endSecond = taking.take("b", 80);
    taking.take("c", 10);
    expect(taking.begun).toEqual(["a"]);
    endFirst();
    expect(taking.begun).toEqual(["a", "b", "c"]);
    endSecond();
  });

  test("that is not waited for any more makes way for the next", () => {
    const taking = new Taking();
    taking.take("a", 80);
    const give = taking.take("b", 80);
    taking.take("c", 20);
    give();
    expect(taking.begun).toEqual(["a", "c"]);
  });

  test("that ends twice ends once", () => {
    const taking = new Taking();
    const end = taking.take("a", 80);
    end();
    end();
    taking.take("b", 80);
    taking.take("c", 80);
    expect(taking.begun).toEqual(["a", "b"]);
  });

  test("begins all the same for who has waited for too long, and counts", async () => {
    const taking = new Taking(20);
    const end = taking.take("slow", 80);
    const endLate = taking.take("late", 80);
    await until("it has begun", () => taking.begun.length === 2);
    const endThird = taking.take("third", 30);
    end();
    expect(taking.begun).toEqual(["slow", "late"]);
    endLate();
    expect(taking.begun).toEqual(["slow", "late", "third"]);
    endThird();
  });
});
