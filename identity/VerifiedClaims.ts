/**
 * Verified claims: names of claims found true, so that a fact is verified once however many items lean on it
 * (a batch signature, an attestation seen again). Bounded; the one unused for longest goes first. A false
 * claim is never kept: it would let anyone push true ones out for the price of garbage.
 */
import * as Limit from "../runtime/Limit.ts"

export interface VerifiedClaims {
  readonly has: (name: string) => boolean
  readonly add: (name: string) => void
}

export const make = (limit: number = Limit.verifiedMemoryMax): VerifiedClaims => {
  const names = new Set<string>()
  const add = (name: string) => {
    names.delete(name)
    if (names.size >= limit) names.delete(names.values().next().value!)
    names.add(name)
  }
  return {
    has: (name) => {
      if (!names.has(name)) return false
      add(name)
      return true
    },
    add,
  }
}
