// What expressions have done so far, over everything that is looked at: fields that were passed over while
// looking for others, and values that were compared.

/**
 * Loops go by it: an expression that looks through all attributes for each attribute must come to an end.
 */
export const work = { steps: 0 };
