/**
 * Blocks: those that are open where the pass stands in a function, how high the operand stack is, and which stretch of
 * code is being paid for.
 *
 * A stretch runs as a whole or not at all, and its charge stands where it begins. It is a basic block, and with it what
 * follows blocks, loops and ifs that no branch leaves. Operands are followed only as far as a frame's words need it:
 * their greatest height. After an unconditional branch the height is that of the enclosing block, as in the
 * specification's validation.
 */

/** The price of one stretch, known when its last instruction is read. */
export interface Charge {
  /** Whether what is left is tested there. */
  readonly tested: boolean
  fuel: number
}

export type Kind = "function" | "block" | "loop" | "if"

interface Open {
  readonly kind: Kind
  /** Height of the operand stack below its parameters. */
  readonly base: number
  readonly takes: number
  readonly gives: number
  /** The charge that runs where it begins. */
  readonly charge: Charge
  /** Whether a branch leads to its end. */
  branched: boolean
  /** The outermost block, counted from the function, that a branch from within leads to. */
  reach: number
}

export class Blocks {
  /** What is paid for here. */
  charge: Charge
  heightMax = 0
  #height = 0
  readonly #open: Array<Open> = []

  /** Opens the function itself, whose first stretch begins with `charge`. */
  constructor(charge: Charge, gives: number) {
    this.charge = charge
    this.enter("function", 0, gives)
  }

  /** How many blocks are open, the function among them. */
  get depth(): number {
    return this.#open.length
  }

  take(count: number): void {
    this.#height = Math.max(this.#height - count, this.#open.at(-1)!.base)
  }

  give(count: number): void {
    this.#height += count
    this.heightMax = Math.max(this.heightMax, this.#height)
  }

  enter(kind: Kind, takes: number, gives: number): void {
    const base = Math.max(0, this.#height - takes)
    const reach = this.#open.length
    this.#open.push({ kind, base, takes, gives, charge: this.charge, branched: kind === "if", reach })
  }

  /** A branch to the block that is `label` outside the innermost. */
  branch(label: number): void {
    const target = this.#open.length - 1 - label
    this.#open[target]!.branched = true
    const innermost = this.#open.at(-1)!
    innermost.reach = Math.min(innermost.reach, target)
  }

  /** What follows can't be reached: its price is nobody's. */
  stop(): void {
    this.charge = { tested: false, fuel: 0 }
    this.#height = this.#open.at(-1)!.base
  }

  /** From the first arm of an if to the second. */
  turn(): void {
    const { base, takes } = this.#open.at(-1)!
    this.#height = base + takes
  }

  /** Closes the innermost block. Says whether a new stretch begins behind it, and whether a branch leads there. */
  end(): { readonly begins: boolean; readonly branched: boolean } {
    const { kind, base, gives, charge, branched, reach } = this.#open.pop()!
    this.#height = base
    this.give(gives)
    const outer = this.#open.at(-1)
    if (outer !== undefined) outer.reach = Math.min(outer.reach, reach)
    const left = reach < this.#open.length
    // What nothing leaves is passed through whole: what follows runs if and only if what stood before it did.
    if (!left) this.charge = charge
    // The end of a loop is reached by falling through only: a branch to a loop leads to its beginning.
    return { begins: left && branched && kind !== "loop", branched }
  }
}
