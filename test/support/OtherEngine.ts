/** An engine that is not this version's: the same but for a harmless byte of its prelude, and so with another id. */
import * as Engine from "../../compute-unit/Engine.ts"
import type { Entry, Sandbox } from "../../compute-unit/Sandbox.ts"
import * as SandboxInline from "../../compute-unit/SandboxInline.ts"
import * as Bytes from "../../runtime/Bytes.ts"
import * as Hash from "../../runtime/Hash.ts"
import * as Module from "../../runtime/Module.ts"

/** `version` tells several apart. */
export const make = (version = 1): Engine.ScriptEngine => {
  const parts = Engine.build().map((part, i) =>
    i === 2 ? Bytes.concat([part, Bytes.fromText("\n".repeat(version))]) : part,
  )
  const artifact = Engine.artifactOf(parts)
  return Engine.read(artifact, Hash.sha256(artifact))
}

/** A sandbox of a version of heddle whose engine this is. It knows no other script engine than that and ours. */
export const sandbox = (engine: Engine.ScriptEngine): Sandbox["Service"] => {
  Engine.add(engine)
  const inner = SandboxInline.make()
  /** The engine that an upgrade to a script comes to where none is named: that of the version. */
  const upgraded = (entry: Entry): Entry =>
    entry.upgrade !== undefined && Module.format(entry.upgrade.source) === "javascript"
      ? { ...entry, upgrade: { ...entry.upgrade, engine: entry.upgrade.engine ?? engine.id } }
      : entry
  return {
    ...inner,
    engine: engine.id,
    artifact: engine.artifact,
    open: (opening) => inner.open({ ...opening, engine: opening.engine ?? engine.id }),
    run: (process, entries) => inner.run(process, entries.map(upgraded)),
  }
}
