// The order in which the points of a stream come. Senders write the same series in the same order every
// time, each of their requests a run of them; knowing that, a run is read in WebAssembly (quick-points.ts).

export interface Run<Series> {
  readonly series: readonly Series[];
  /** Of these, as quick-points.ts expects them. */
  readonly attributes: string;
  /** What came behind it the last time. */
  next: Run<Series> | undefined;
}

/** Where the order changes again and again, making runs costs more than they save. */
const mostInVain = 2;
const usesForOne = 4;

export class Runs<Series> {
  readonly #byFirst = new Map<Series, Run<Series>>();
  #last: Run<Series> | undefined;
  #length = 0;
  #made = 0;
  #uses = 0;

  /** The one that is likely to come. */
  get expected(): Run<Series> | undefined {
    return this.#last?.next;
  }

  beginningWith(series: Series): Run<Series> | undefined {
    return this.#byFirst.get(series);
  }

  /** It has come. */
  used(run: Run<Series>): void {
    this.#uses++;
    this.#follow(run);
  }

  get isWorthMore(): boolean {
    return this.#made < mostInVain + this.#uses / usesForOne;
  }

  /** They have come. Of `mostLength` series together: a sender that changes must not make this grow. */
  add(runs: readonly Run<Series>[], mostLength: number): void {
    const length = runs.reduce((sum, { series }) => sum + series.length, 0);
    this.#made++;
    if (length > mostLength) return;
    if (this.#length + length > mostLength) {
      this.#byFirst.clear();
      this.#last = undefined;
      this.#length = 0;
    }
    for (const run of runs) {
      const [first] = run.series;
      if (!first) continue;
      this.#length += run.series.length - (this.#byFirst.get(first)?.series.length ?? 0);
      this.#byFirst.set(first, run);
      this.#follow(run);
    }
  }

  #follow(run: Run<Series>): void {
    if (this.#last) this.#last.next = run;
    this.#last = run;
    run.next ??= this.#byFirst.values().next().value;
  }
}
