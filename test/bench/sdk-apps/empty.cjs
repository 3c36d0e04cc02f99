// Tells how long it took to get here, since the process began, and how much memory that took.
process.stderr.write(`begins after ${performance.now()}\n`);
process.exit(0);
