// What is measured of metrics: what it costs to take points of so many series, and to be scraped for them.

export interface MetricsCase {
  readonly name: string;
  /** `points`: what a point costs from arriving until it is held. `scrape`: what a series costs to be shown. */
  readonly kind: "points" | "scrape";
  readonly made: "sums" | "histograms";
  /** Each sender sends one request of its thousand series, again and again. */
  readonly senders: number;
  /** How often each series has a point that is measured; before them come as many as it takes to be warm. */
  readonly rounds: number;
  readonly warmUpRounds: number;
  /** How often all is scraped and measured; before that some, too. */
  readonly scrapes: number;
  readonly warmUpScrapes: number;
  /** For how long it is scraped without a pause, to see what becomes of those who send. */
  readonly probeMs: number;
  /** The most that ours may have in use. */
  readonly mostBytes: number;
  /** Part of the everyday run. */
  readonly isUsual: boolean;
}

export const seriesPerSender = 1000;

const points = { kind: "points", scrapes: 0, warmUpScrapes: 0, probeMs: 0 } as const;
const unusual = { mostBytes: 170e6, isUsual: false };

export const metricsCases: readonly MetricsCase[] = [
  {
    name: "prometheus-sums",
    ...points,
    made: "sums",
    senders: 100,
    rounds: 20,
    warmUpRounds: 30,
    ...unusual,
  },
  // To Prometheus a histogram of eleven buckets is fourteen series.
  {
    name: "prometheus-buckets",
    ...points,
    made: "histograms",
    senders: 10,
    rounds: 100,
    warmUpRounds: 300,
    ...unusual,
  },
  {
    name: "prometheus-scrape",
    kind: "scrape",
    made: "sums",
    senders: 100,
    rounds: 0,
    warmUpRounds: 3,
    scrapes: 20,
    warmUpScrapes: 5,
    probeMs: 6000,
    ...unusual,
  },
];

/** The same with few senders, scrapes and so on. */
export const shortenedMetrics = (given: MetricsCase): MetricsCase => ({
  ...given,
  senders: Math.min(2, given.senders),
  rounds: Math.min(2, given.rounds),
  warmUpRounds: 1,
  scrapes: Math.min(2, given.scrapes),
  warmUpScrapes: 0,
  probeMs: Math.min(100, given.probeMs),
});

/** The same with that part of what is measured. */
export const shareOfMetrics = (given: MetricsCase, share: number): MetricsCase => ({
  ...given,
  rounds: Math.ceil(given.rounds * share),
  warmUpRounds: Math.ceil(given.warmUpRounds * share),
  scrapes: Math.ceil(given.scrapes * share),
  warmUpScrapes: Math.ceil(given.warmUpScrapes * share),
});
