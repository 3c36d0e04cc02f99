// Every call that the scenarios make to the disk, failed and used as the moment of a kill, one run for
// each. First a run without a fault counts the calls; then each of them is a point, and each point is
// visited with every fault that can happen to it, once and from there on for good. A visit counts only
// when strace says that the fault was really there.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Observed, Scenario, type ScenarioName, scenarioNames } from "./scenario.ts";
import { type Call, reading, type SeenCall, type Strace } from "./strace.ts";

interface Point {
  readonly scenario: ScenarioName;
  readonly call: Call;
  /** In the data folder, with $$ for the process id. */
  readonly path: string;
  /** The how-manieth of its kind on this path. */
  readonly number: number;
}

type Fault = "EIO" | "ENOSPC" | "EMFILE" | "EACCES" | "SIGKILL";

interface Visit {
  readonly point: Point;
  readonly fault: Fault;
  /** From this call on, instead of at this call only. */
  readonly isLasting: boolean;
  /** Where the life is killed that recovers from the first kill. */
  readonly again?: Point;
}

interface Visited extends Visit {
  readonly isFired: boolean;
  readonly observed: Observed;
}

interface Survey {
  readonly points: readonly Point[];
  readonly visits: readonly Visit[];
  /** What the collector does although nothing fails; must be empty. */
  readonly problems: readonly string[];
}

/** One run after another happens here. */
class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "sonde-syscalls-"));
  readonly data = join(this.folder, "data");

  async run(
    name: ScenarioName,
    strace: Partial<Strace>,
    again?: Partial<Strace>,
  ): Promise<Observed> {
    for (const part of ["data", "trace", "trace-again"]) {
      rmSync(join(this.folder, part), { recursive: true, force: true });
    }
    const whole = (file: string, some: Partial<Strace>): Strace => ({
      trace: join(this.folder, file),
      paths: undefined,
      ...some,
    });
    const second = again && whole("trace-again", again);
    return await new Scenario(name, this.folder).run(whole("trace", strace), second);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function survey(site: Site): Promise<Survey> {
  const points: Point[] = [];
  const problems: string[] = [];
  for (const scenario of scenarioNames) {
    const observed = await site.run(scenario, {});
    problems.push(...observed.problems.map((problem) => `${scenario}: ${problem}`));
    points.push(...pointsOf(scenario, observed.seen, site.data));
  }
  return { points, visits: points.flatMap(visitsOf), problems };
}

/** How often each call is made on each path, where several threads make it by the busiest. */
function pointsOf(scenario: ScenarioName, seen: readonly SeenCall[], data: string): Point[] {
  const points = new Map<string, Point>();
  const counts = new Map<string, number>();
  for (const { call, thread, path: whole } of seen) {
    if (!whole.startsWith(data)) continue;
    // A lock is made under a name with the process id, which is another one in the next run.
    const path = whole.slice(data.length).replace(/(?<=\/lock\.)\d+/, "$$$$");
    const number = (counts.get(`${thread} ${call} ${path}`) ?? 0) + 1;
    counts.set(`${thread} ${call} ${path}`, number);
    const key = `${call} ${path} ${number}`;
    if (!points.has(key)) points.set(key, { scenario, call, path, number });
  }
  return [...points.values()];
}

function visitsOf(point: Point): Visit[] {
  return faultsOf(point.call).flatMap((fault) => {
    const once = { point, fault, isLasting: false };
    return fault === "SIGKILL" ? [once] : [once, { ...once, isLasting: true }];
  });
}

function faultsOf(call: Call): readonly Fault[] {
  if ((reading as readonly Call[]).includes(call)) return ["EIO"];
  if (call === "openat") return ["EMFILE", "EACCES", "SIGKILL"];
  if (call === "mkdir" || /write/.test(call)) return ["EIO", "ENOSPC", "SIGKILL"];
  return ["EIO", "SIGKILL"];
}

/** What comes first differs a little from run to run, so a point may be missed: then once more. */
const tries = 3;

async function visit(site: Site, asked: Visit): Promise<Visited> {
  const { point, again } = asked;
  const { scenario } = point;
  const strace = { paths: [`${site.data}${point.path}`], inject: injectionOf(asked) };
  const kill = again && {
    paths: [`${site.data}${again.path}`],
    inject: injectionOf({ ...asked, point: again }),
  };
  for (let left = tries - 1; ; left--) {
    const observed = await site.run(scenario, strace, kill);
    const isKill = asked.fault === "SIGKILL";
    const isInjected = observed.seen.some((call) => call.isInjected);
    const isFired = isKill ? observed.end === "killed" : isInjected;
    if (isFired || left === 0 || observed.problems.length > 0) {
      return { ...asked, isFired, observed };
    }
  }
}

/** One visit that could not even be made must not cost the others. */
function failed(asked: Visit, { message }: Error): Visited {
  const observed = { seen: [], acknowledged: 0, end: "stopped", problems: [message] } as const;
  return { ...asked, isFired: false, observed };
}

function injectionOf({ point, fault, isLasting }: Visit): string {
  const what = fault === "SIGKILL" ? "signal=SIGKILL" : `error=${fault}`;
  return `${point.call}:${what}:when=${point.number}${isLasting ? "+" : ""}`;
}

export interface SyscallReport {
  /** Different calls that the scenarios make. */
  readonly points: number;
  /** Of those: where a fault was really there. */
  readonly covered: number;
  readonly visits: number;
  /** Visits of a call that was not made in any try: how often files are read depends on the moment. */
  readonly missed: number;
  /** Kills that were followed by a kill of the process that recovers. */
  readonly compound: number;
  readonly acknowledged: number;
  readonly ends: Readonly<Record<Observed["end"], number>>;
  readonly problems: readonly string[];
}

export interface SyscallOptions {
  /** How many visits, spread over all there are; all of them unless given. */
  readonly visits?: number;
  readonly seed?: number;
  readonly lanes: number;
  readonly progress?: (line: string) => void;
}

export async function failEveryCall(options: SyscallOptions): Promise<SyscallReport> {
  const { visits: count, seed = 0, lanes, progress = () => {} } = options;
  const sites = Array.from({ length: lanes }, () => new Site());
  try {
    const surveyed = await survey(sites[0]!);
    const asked = [...surveyed.visits, ...twiceKilled(surveyed.points)];
    const left = spread(asked, count ?? asked.length, seed);
    const done: Visited[] = [];
    const lane = async (site: Site): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift()) {
        const asked = next;
        const visited = await visit(site, asked).catch((error: Error) => failed(asked, error));
        done.push(visited);
        for (const problem of problemsOf(visited)) progress(problem);
        if (done.length % 50 === 0) progress(`${done.length} visits`);
      }
    };
    await Promise.all(sites.map(lane));
    return summary(surveyed, done);
  } finally {
    for (const site of sites) site.remove();
  }
}

/** A kill at each call of a first start, then one at a call of the recovery, further on each time. */
function twiceKilled(points: readonly Point[]): Visit[] {
  const isKillable = ({ call }: Point): boolean => faultsOf(call).includes("SIGKILL");
  const killable = points.filter(isKillable);
  const first = killable.filter(({ scenario }) => scenario === "first start");
  const second = killable.filter(({ scenario }) => scenario === "recovery");
  return first.map((point, index) => {
    const again = second[(index * 7) % second.length]!;
    return { point, fault: "SIGKILL", isLasting: false, again };
  });
}

function summary({ points, problems }: Survey, done: readonly Visited[]): SyscallReport {
  const ends = { killed: 0, "said why": 0, stopped: 0 };
  const covered = new Set<Point>();
  for (const { point, isFired, observed } of done) {
    ends[observed.end]++;
    if (isFired) covered.add(point);
  }
  return {
    points: points.length,
    covered: covered.size,
    visits: done.length,
    missed: done.filter(({ isFired }) => !isFired).length,
    compound: done.filter(({ again, isFired }) => again && isFired).length,
    acknowledged: done.reduce((sum, { observed }) => sum + observed.acknowledged, 0),
    ends,
    problems: [...problems, ...done.flatMap(problemsOf)],
  };
}

function problemsOf(visited: Visited): string[] {
  return visited.observed.problems.map((problem) => `${nameOf(visited)}: ${problem}`);
}

export function inWords({ points, covered, visits, ...rest }: SyscallReport): string {
  const { missed, compound, acknowledged, ends, problems } = rest;
  return (
    `calls to the disk: ${covered} of ${points} covered by ${visits} faults and kills (${missed} ` +
    `missed, ${compound} killed twice), ${acknowledged} acknowledged, ${problems.length} problems; it was killed ` +
    `${ends.killed} times, ended with a word ${ends["said why"]} times, worked on ${ends.stopped} times`
  );
}

/** Every n-th of them, so that the few are of all kinds; the same ones for the same seed. */
function spread<Thing>(things: readonly Thing[], count: number, seed = 0): Thing[] {
  if (count >= things.length) return [...things];
  const step = things.length / count;
  return Array.from({ length: count }, (_, index) => {
    return things[Math.floor(index * step + (seed % Math.ceil(step))) % things.length]!;
  });
}

function nameOf({ point, fault, isLasting, again }: Visit): string {
  const what = fault === "SIGKILL" ? "killed" : `${fault}${isLasting ? " from there on" : ""}`;
  const at = ({ call, path, number }: Point): string => `${call} ${number} of data${path}`;
  const twice = again ? `, and killed again at ${at(again)}` : "";
  return `${point.scenario}: ${what} at ${at(point)}${twice}`;
}
