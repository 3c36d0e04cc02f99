// Makes garbage, slowly or as fast as it can, and says how often that was collected and how long it took.
const { PerformanceObserver } = require("node:perf_hooks");

const [wanted, pauseMs] = process.argv.slice(2).map(Number);
let collections = 0;
let milliseconds = 0;
const observer = new PerformanceObserver((list) => {
  for (const { duration, detail } of list.getEntries()) {
    if (detail.kind !== 1) continue; // of new objects
    collections++;
    milliseconds += duration;
  }
});

let garbage = [];
function litter() {
  for (let made = 0; made < 20_000; made++) {
    garbage.push({ made: [made, String(made)] });
    if (garbage.length > 1000) garbage = [];
  }
  if (collections >= wanted) {
    process.stdout.write(JSON.stringify({ collections, seconds: milliseconds / 1000 }));
  } else if (pauseMs > 0) setTimeout(litter, pauseMs);
  else setImmediate(litter);
}

setTimeout(() => {
  observer.observe({ entryTypes: ["gc"] });
  litter();
}, 200);
