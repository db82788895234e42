/**
 * The part of the WebAssembly JavaScript interface that heddle uses. TypeScript ships it with the types of a browser
 * page only, whose other globals a server must not see.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Memory {
    constructor(descriptor: { readonly initial: number; readonly maximum: number })
    readonly buffer: ArrayBuffer
    /** Throws RangeError when the host can't give the pages. */
    grow(pages: number): number
  }
  class Global {
    value: number | bigint
  }
  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>)
    readonly exports: Readonly<Record<string, unknown>>
  }
  /** A trap. */
  class RuntimeError extends Error {}
  function validate(bytes: Uint8Array): boolean
}
