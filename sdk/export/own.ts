// What is ours among an app's connections, so that no instrumentation takes it for the app's.

const ownAgents = new WeakSet<object>();

/** Requests through it are neither traced nor counted. */
export function markOwn<Agent extends object>(agent: Agent): Agent {
  ownAgents.add(agent);
  return agent;
}

export function isOwn(agent: unknown): boolean {
  return typeof agent === "object" && agent !== null && ownAgents.has(agent);
}
