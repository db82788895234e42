/**
 * The AssemblyScript compiler. It is loaded by a name that the type checker does not follow: its declarations change those
 * of the language itself (`Array.prototype.at` and others) for every file that is checked with them.
 */

interface Compiler {
  readonly main: (
    words: ReadonlyArray<string>,
    host: { readonly writeFile: (name: string, contents: string | Uint8Array) => void },
  ) => Promise<{ readonly error: Error | null }>
}

const name: string = "assemblyscript/asc"

export const load = async (): Promise<Compiler> => (await import(name)) as Compiler // version 0.28
